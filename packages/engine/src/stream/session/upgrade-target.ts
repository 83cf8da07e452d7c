import { percentDecode, readSince, type Since, type StreamJoin } from '@rivulet/protocol';
import { isStreamName, isValidId } from '../../store/shared/ids.js';
import { decodeQuery } from '../../transport/upgrade/upgrade-input.js';

/** The meaning of the path of an upgrade (spec ST §2.3). */
export type UpgradeTarget =
  /** `/`: the client sends its joins later. */
  { readonly kind: 'open' } | PathJoin | { readonly kind: 'invalid' } | { readonly kind: 'unknown' };

/**
 * `/stream/{name}/{group}` or `/stream/{name}/{group}/{item}`: a join at the open. The query may have `positions=1` and `since` (rule
 * RV-4).
 */
export interface PathJoin {
  readonly kind: 'join';
  readonly stream: string;
  readonly group: string;
  readonly item: string | undefined;
  readonly positions: boolean;
  readonly since: Since | undefined;
}

/** Returns the join that a path means. */
export function joinOf(
  { stream: streamName, group: groupId, item: itemId, positions, since }: PathJoin,
  subscriptionId: string,
): StreamJoin {
  return { type: 'join', subscriptionId, streamName, groupId, itemId, positions, since };
}

/** Returns the path without the prefix. A path that lacks it stays as it is: some proxies strip the prefix, others do not. */
export function withoutPrefix(path: string, prefix: string | undefined): string {
  if (prefix === undefined || !path.startsWith(prefix)) return path;
  const rest = path.slice(prefix.length);
  return rest === '' || rest.startsWith('/') ? rest : path;
}

/** Returns the paths at which a plain `GET` learns which listener this is. */
export function plainPaths(prefix: string | undefined): readonly string[] {
  return prefix === undefined ? ['/'] : ['/', prefix, `${prefix}/`];
}

/** Reads the path of an upgrade. `unknown`: no such path. `invalid`: a name in it is not allowed. */
export function readTarget(path: string, rawQuery = ''): UpgradeTarget {
  if (path === '/' || path === '') return { kind: 'open' };
  if (!path.startsWith('/stream/')) return { kind: 'unknown' };
  const segments = path.slice('/stream/'.length).split('/');
  if (segments.length > 2 && segments.at(-1) === '') segments.pop();
  if (segments.length < 2 || segments.length > 3 || segments.includes('')) return { kind: 'unknown' };
  const names = segments.map(percentDecode);
  if (!names.every((name, at) => name !== undefined && (at === 0 ? isStreamName(name) : isValidId(name)))) return { kind: 'invalid' };
  const [stream, group, item] = names as [string, string, string | undefined];
  const query = decodeQuery(rawQuery);
  const since = readSince(query['since']?.at(-1));
  return { kind: 'join', stream, group, item, positions: since !== undefined || query['positions']?.at(-1) === '1', since };
}
