import { percentDecode } from '@rivulet/protocol';
import type { UpgradeRequest } from './upgrade-request.js';

/** The values of `Sec-Fetch-Site` in requests that a page of another origin has caused. */
const OF_OTHER_PAGES = ['cross-site', 'same-site'];

/**
 * Returns the headers for an auth function, with names in lower case. It passes cookies only from pages of the listener's own host or of an
 * allowed origin.
 */
export function headersForAuth(request: UpgradeRequest, allowedOrigins: readonly string[]): Readonly<Record<string, string>> {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(request.headers)) {
    if (name === 'cookie' && !mayUseCookies(request, allowedOrigins)) continue;
    if (value !== undefined) headers[name] = Array.isArray(value) ? (value.at(-1) ?? '') : value;
  }
  return headers;
}

function mayUseCookies(request: UpgradeRequest, allowedOrigins: readonly string[]): boolean {
  const { origin, host, 'sec-fetch-site': site } = request.headers;
  // Images and links of foreign pages send cookies with a plain GET, and no `Origin`.
  if (origin === undefined) return !OF_OTHER_PAGES.includes(String(site));
  if (allowedOrigins.includes(origin)) return true;
  if (host === undefined) return false;
  // A trusted proxy names the scheme of the page. Without it both schemes are possible, because a proxy may terminate TLS.
  const schemes = request.scheme === undefined ? ['http', 'https'] : [request.scheme];
  return schemes.some((scheme) => origin === `${scheme}://${host}`);
}

/**
 * Returns the query parameters for an auth function. Repeated keys collect their values in order, a key without `=` has the value `""`, and
 * empty keys are skipped. It decodes percent sequences, but keeps `+`, because tokens contain it.
 */
export function decodeQuery(rawQuery: string): Record<string, string[]> {
  const parameters: Record<string, string[]> = Object.create(null);
  if (rawQuery === '') return parameters;
  for (const part of rawQuery.split('&')) {
    const equals = part.indexOf('=');
    const rawKey = equals < 0 ? part : part.slice(0, equals);
    const key = percentDecode(rawKey) ?? rawKey;
    if (key === '') continue;
    const rawValue = equals < 0 ? '' : part.slice(equals + 1);
    const values = parameters[key];
    const value = percentDecode(rawValue) ?? rawValue;
    if (values === undefined) parameters[key] = [value];
    else values.push(value);
  }
  return parameters;
}
