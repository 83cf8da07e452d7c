import { percentDecode } from '@rivulet/protocol';

/** The parts of a request target, as the client sent them. */
export interface RequestTarget {
  readonly path: string;
  /** Query without the question mark. */
  readonly query: string;
}

/** Reads a target in origin form (`/a?b`) or, as RFC 9112 §3.2.2 demands, in absolute form (`http://host/a?b`). */
export function readRequestTarget(target: string): RequestTarget {
  const rest = target.startsWith('/') ? target : target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '');
  const question = rest.indexOf('?');
  if (question < 0) return { path: rest, query: '' };
  return { path: rest.slice(0, question), query: rest.slice(question + 1) };
}

/** Returns the path after the prefix. A path without the prefix stays as it is, for proxies that remove it and for direct clients. */
export function withoutPrefix(path: string, prefix: string | undefined): string {
  if (prefix === undefined || !path.startsWith(prefix)) return path;
  const rest = path.slice(prefix.length);
  if (rest === '') return '/';
  return rest.startsWith('/') ? rest : path;
}

/** Decodes percent sequences. Returns the text unchanged when a sequence is malformed or not UTF-8. */
export function decodeOrKeep(text: string): string {
  return percentDecode(text) ?? text;
}

/**
 * Returns the parameters of a query, decoded like a form: `+` is a space. The last value of a repeated parameter counts.
 *
 * The result is that of `URLSearchParams` for every text of ASCII, and HTTP allows no other. That class needs 5 µs for each value with a
 * malformed sequence, because it catches an exception. A long query of them would hold up all other requests.
 */
export function queryParameters(query: string): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null);
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    if (equals < 0) parameters[formDecode(pair)] = '';
    else parameters[formDecode(pair.slice(0, equals))] = formDecode(pair.slice(equals + 1));
  }
  return parameters;
}

const PERCENT = 0x25;

/** Decodes a text of a form. A malformed percent sequence stays as it is, and bytes that are not UTF-8 become U+FFFD. */
function formDecode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  const bytes = Buffer.from(spaced);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    const high = byte === PERCENT ? hexDigit(bytes[at + 1]) : -1;
    const low = high < 0 ? -1 : hexDigit(bytes[at + 2]);
    if (low >= 0) at += 2;
    bytes[length++] = low < 0 ? byte : high * 16 + low;
  }
  return bytes.toString('utf8', 0, length);
}

/** Returns the value of a hexadecimal digit, or -1 for any other byte. */
function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
