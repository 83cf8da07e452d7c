import { percentDecode, readSince, type Since } from '@rivulet/protocol';
import { decodeQuery } from '../core/access/upgrade-input.js';
import { isValidId } from '../store/ids.js';

/** What the path of an upgrade asks for (spec ST §2.3). */
export type UpgradeTarget =
  /** `/`: the client will send its joins. */
  { readonly kind: 'open' } | PathJoin | { readonly kind: 'invalid' } | { readonly kind: 'unknown' };

/** `/stream/{name}/{group}` or `/stream/{name}/{group}/{item}`: joined on open. The query may say `positions=1` and `since` (rule RV-4). */
export interface PathJoin {
  readonly kind: 'join';
  readonly stream: string;
  readonly group: string;
  readonly item: string | undefined;
  readonly positions: boolean;
  readonly since: Since | undefined;
}

export function readTarget(path: string, rawQuery = ''): UpgradeTarget {
  if (path === '/' || path === '') return { kind: 'open' };
  if (!path.startsWith('/stream/')) return { kind: 'unknown' };
  const segments = path.slice('/stream/'.length).split('/');
  if (segments.length > 2 && segments.at(-1) === '') segments.pop();
  if (segments.length < 2 || segments.length > 3 || segments.includes('')) return { kind: 'unknown' };
  const names = segments.map(percentDecode);
  if (!names.every((name) => name !== undefined && isValidId(name))) return { kind: 'invalid' };
  const [stream, group, item] = names as [string, string, string | undefined];
  const query = decodeQuery(rawQuery);
  const since = readSince(query['since']?.at(-1));
  return { kind: 'join', stream, group, item, positions: since !== undefined || query['positions']?.at(-1) === '1', since };
}
