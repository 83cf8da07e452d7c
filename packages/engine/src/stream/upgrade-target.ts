import { isValidId } from './ids.js';

/** What the path of an upgrade asks for (spec ST §2.3). */
export type UpgradeTarget =
  /** `/`: the client will send its joins. */
  | { readonly kind: 'open' }
  /** `/stream/{name}/{group}` or `/stream/{name}/{group}/{item}`: joined on open. */
  | { readonly kind: 'join'; readonly stream: string; readonly group: string; readonly item: string | undefined }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'unknown' };

export function readTarget(path: string): UpgradeTarget {
  if (path === '/' || path === '') return { kind: 'open' };
  if (!path.startsWith('/stream/')) return { kind: 'unknown' };
  const segments = path.slice('/stream/'.length).split('/');
  if (segments.length > 2 && segments.at(-1) === '') segments.pop();
  if (segments.length < 2 || segments.length > 3 || segments.includes('')) return { kind: 'unknown' };
  const names = segments.map(percentDecode);
  if (!names.every((name) => name !== undefined && isValidId(name))) return { kind: 'invalid' };
  const [stream, group, item] = names as [string, string, string | undefined];
  return { kind: 'join', stream, group, item };
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

/** `undefined` when a percent sequence is malformed. */
function percentDecode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
