import { StreamError } from './stream-error.js';

/** RFC 9110's token: what browsers take as a sub-protocol. */
const TOKEN = /^[\w!#$%&'*+\-.^`|~]+$/;

/** Throws `INVALID_URL`, or `INSECURE_URL` for a `ws:` that leaves this machine. `http:` and `https:` mean `ws:` and `wss:`. */
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
    throw new StreamError('INSECURE_URL', 'ws: can be read on the way: use wss:, or say `insecure: true`');
  return url;
}

function isLoopback(host: string): boolean {
  return /^(127(\.\d+){3}|\[::1\]|(.+\.)?localhost)$/.test(host);
}

/** What a socket is opened with. */
export function addressWith(
  url: URL,
  token: string | undefined,
  as: 'protocol' | 'query' | undefined,
): { readonly url: string; readonly protocols: string[] } {
  // Pages without types give `null`, as their storage returns it. It must not travel as the text "null".
  if (!token) return { url: url.href, protocols: [] };
  if (as === 'protocol' || (as === undefined && TOKEN.test(token))) return { url: url.href, protocols: ['Authorization', token] };
  // oxlint-disable-next-line eslint/no-restricted-globals -- the application gave this address; a throw reaches its call of connect
  const withToken = new URL(url);
  withToken.searchParams.set('token', token);
  return { url: withToken.href, protocols: [] };
}
