import { isUtf8 } from 'node:buffer';
import { type IncomingHttpHeaders, validateHeaderName, validateHeaderValue } from 'node:http';
import { LIMITS } from '@rivulet/protocol';

/** Headers of one connection (RFC 9110 §7.6.1). Functions must not set them. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

/** Returns the request headers for a function, one text each. A header that is not UTF-8 is empty. */
export function requestHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const texts: Record<string, string> = Object.create(null);
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) texts[name] = decoded(typeof value === 'string' ? value : value.join(', '));
  }
  return texts;
}

/** Returns one request header. */
export function requestHeader(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? decoded(value) : undefined;
}

/** Response headers of a function. Names are in lower case. The values of one name keep their order. */
export class ResponseHeaders {
  readonly #values = new Map<string, string[]>();
  #bytes = 0;

  /**
   * Merges an object of texts, or an array of `Name: value`. It leaves out everything else: other types, invalid characters, hop-by-hop
   * headers, and headers above the limit.
   */
  merge(given: unknown): void {
    if (Array.isArray(given)) {
      const fresh = new Set<string>();
      for (const line of given) if (typeof line === 'string') this.#addLine(line, fresh);
      return;
    }
    if (typeof given !== 'object' || given === null) return;
    for (const [name, value] of Object.entries(given)) if (typeof value === 'string') this.#set(name, value);
  }

  /** Returns all values of a name as one, as RFC 9110 §5.3 defines it. */
  get(name: string): string | undefined {
    return this.#values.get(name)?.join(', ');
  }

  set(name: string, value: string): void {
    this.delete(name);
    this.#values.set(name, [value]);
    this.#bytes += name.length + value.length;
  }

  delete(name: string): void {
    for (const value of this.#values.get(name) ?? []) this.#bytes -= name.length + value.length;
    this.#values.delete(name);
  }

  *[Symbol.iterator](): Iterator<readonly [string, string | string[]]> {
    for (const [name, values] of this.#values) yield [name, values.length === 1 ? (values[0] as string) : values];
  }

  /** Adds a line. A repeated line of one array adds a value, and replaces the values that were merged before. */
  #addLine(line: string, fresh: Set<string>): void {
    const colon = line.indexOf(':');
    if (colon <= 0) return;
    const name = line.slice(0, colon).trim().toLowerCase();
    if (this.#set(name, line.slice(colon + 1).trim(), fresh.has(name))) fresh.add(name);
  }

  #set(name: string, value: string, adds = false): boolean {
    const key = name.toLowerCase();
    const bytes = encoded(value);
    if (HOP_BY_HOP.has(key) || !isAllowed(key, bytes)) return false;
    if (this.#bytes + key.length + bytes.length > LIMITS.httpResponseHeaderBytes) return false;
    const before = adds ? (this.#values.get(key) ?? []) : [];
    if (!adds) this.delete(key);
    this.#values.set(key, [...before, bytes]);
    this.#bytes += key.length + bytes.length;
    return true;
  }
}

function isAllowed(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

const BEYOND_ASCII = /[^\0-\x7f]/;

/** Decodes UTF-8, because Node reads and writes header bytes as Latin-1. */
function decoded(value: string): string {
  if (!BEYOND_ASCII.test(value)) return value;
  const bytes = Buffer.from(value, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : '';
}

function encoded(value: string): string {
  return BEYOND_ASCII.test(value) ? Buffer.from(value).toString('latin1') : value;
}
