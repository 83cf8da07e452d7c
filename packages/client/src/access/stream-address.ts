import { StreamError } from './stream-error.js';

/** The `token` of RFC 9110. Browsers accept only such a text as a sub-protocol. */
const TOKEN = /^[\w!#$%&'*+\-.^`|~]+$/;

/**
 * Reads the address of the stream listener. `http:` and `https:` mean `ws:` and `wss:`. Throws `INVALID_URL` for a text that is no such
 * URL, and `INSECURE_URL` for a `ws:` address of another machine unless `insecure` is set.
 */
export function readAddress(text: string, insecure: boolean): URL {
  let url: URL;
  try {
    // oxlint-disable-next-line eslint/no-restricted-globals -- the application gave this address; a throw reaches its call of connect
    url = new URL(text);
  } catch (error) {
    throw new StreamError('INVALID_URL', 'the URL of the engine must be absolute, such as wss://example.com', { cause: error });
  }
  url.protocol = url.protocol.replace('http', 'ws');
  url.hash = '';
  if (url.protocol !== 'wss:' && url.protocol !== 'ws:')
    throw new StreamError('INVALID_URL', 'the URL of the engine must begin with wss: or ws:');
  if (url.protocol === 'ws:' && !insecure && !isLoopback(url.hostname))
    throw new StreamError('INSECURE_URL', 'ws: can be read on the way: use wss:, or set `insecure: true`');
  return url;
}

function isLoopback(host: string): boolean {
  return /^(127(\.\d+){3}|\[::1\]|(.+\.)?localhost)$/.test(host);
}

/** Returns the URL and the sub-protocols with which a socket is opened. They carry the token. */
export function addressWith(
  url: URL,
  token: string | undefined,
  as: 'protocol' | 'query' | undefined,
): { readonly url: string; readonly protocols: string[] } {
  // A page may give `null`, which its storage returns for an absent token. It must not travel as the text "null".
  if (!token) return { url: url.href, protocols: [] };
  if (as === 'protocol' || (as === undefined && TOKEN.test(token))) return { url: url.href, protocols: ['Authorization', token] };
  // oxlint-disable-next-line eslint/no-restricted-globals -- the application gave this address; a throw reaches its call of connect
  const withToken = new URL(url);
  withToken.searchParams.set('token', token);
  return { url: withToken.href, protocols: [] };
}
