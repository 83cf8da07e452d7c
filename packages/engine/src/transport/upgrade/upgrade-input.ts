import { percentDecode } from '@rivulet/protocol';
import type { UpgradeRequest } from './upgrade-request.js';

/** Headers as an auth function gets them, names in lower case. Cookies only from pages of the listener's own host or of an allowed origin. */
export function headersForAuth(request: UpgradeRequest, allowedOrigins: readonly string[]): Readonly<Record<string, string>> {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(request.headers)) {
    if (name === 'cookie' && !mayUseCookies(request, allowedOrigins)) continue;
    if (value !== undefined) headers[name] = Array.isArray(value) ? (value.at(-1) ?? '') : value;
  }
  return headers;
}

function mayUseCookies(request: UpgradeRequest, allowedOrigins: readonly string[]): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || allowedOrigins.includes(origin)) return true;
  if (host === undefined) return false;
  // A trusted proxy knows how the page was reached. Without one both are possible, as a proxy may end TLS.
  const schemes = request.scheme === undefined ? ['http', 'https'] : [request.scheme];
  return schemes.some((scheme) => origin === `${scheme}://${host}`);
}

/**
 * Query parameters as the auth function gets them: repeated keys collect in order, a key without `=` has the value `""`, empty keys
 * are skipped. Percent sequences are decoded; `+` stays a plus, since tokens contain it.
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
