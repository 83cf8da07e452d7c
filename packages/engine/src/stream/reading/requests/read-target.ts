import { type ErrorCode, LIMITS, percentDecode, percentEncode, readSince, type Since } from '@rivulet/protocol';
import { isStreamName, isValidId } from '../../../store/shared/ids.js';
import { decodeQuery } from '../../../transport/upgrade/upgrade-input.js';

/** The group or item that a request names. */
export interface ReadRef {
  readonly stream: string;
  readonly group: string;
  /** `undefined` for the whole group. */
  readonly item: string | undefined;
}

/** The meaning of the path and query of a plain request (rule RV-50). */
export type ReadTarget =
  /** `/stream/{stream}/{group}` or `/stream/{stream}/{group}/{item}`. */
  | ({ readonly kind: 'group'; readonly query: ReadQuery } & ReadRef)
  /** `/events?group=a/b&group=c/d`: an event stream of several groups. */
  | { readonly kind: 'events'; readonly groups: readonly ReadRef[]; readonly since: string | undefined }
  /** The path is not one of those that this room serves. */
  | { readonly kind: 'other' }
  | { readonly kind: 'invalid'; readonly status: 400 | 404; readonly code: ErrorCode; readonly message: string };

export interface ReadQuery {
  /** Items of the page. @default LIMITS.readPageItems */
  readonly limit: number | undefined;
  /** The page begins behind this item. */
  readonly after: string | undefined;
  readonly since: Since | undefined;
  /** The text of `since`. */
  readonly sinceText: string | undefined;
  /** Seconds that the answer may wait for a change. @default 0 */
  readonly waitS: number;
}

type Invalid = Extract<ReadTarget, { kind: 'invalid' }>;

const STREAM_PATH = '/stream/';
const EVENTS_PATH = '/events';

/** Reads the path and the query of a plain request. The path is without the prefix of the listener. */
export function readReadTarget(path: string, rawQuery: string): ReadTarget {
  if (path === EVENTS_PATH) return readEvents(rawQuery);
  if (!path.startsWith(STREAM_PATH)) return { kind: 'other' };
  const ref = readRef(path.slice(STREAM_PATH.length));
  if ('kind' in ref) return ref;
  const query = readQuery(rawQuery, ref.item);
  return 'kind' in query ? query : { kind: 'group', ...ref, query };
}

/** Returns the path of a group or an item, which names its subscription. */
export function subscriptionIdOf({ stream, group, item }: ReadRef): string {
  return [stream, group, ...(item === undefined ? [] : [item])].map(percentEncode).join('/');
}

function readEvents(rawQuery: string): ReadTarget {
  const query = decodeQuery(rawQuery);
  const paths = query['group'] ?? [];
  if (paths.length === 0 || paths.length > LIMITS.eventGroups)
    return invalid(`the query names 1 to ${LIMITS.eventGroups} groups, as group=STREAM/GROUP`);
  const groups: ReadRef[] = [];
  for (const path of paths) {
    const ref = readRef(path);
    if ('kind' in ref) return ref;
    if (groups.some(({ stream, group }) => stream === ref.stream && group === ref.group))
      return invalid('the query names each group once, as a whole or one item of it');
    groups.push(ref);
  }
  return { kind: 'events', groups, since: query['since']?.at(-1) };
}

function readRef(path: string): ReadRef | Invalid {
  const segments = path.split('/');
  if (segments.length > 2 && segments.at(-1) === '') segments.pop();
  if (segments.length < 2 || segments.length > 3 || segments.includes(''))
    return {
      kind: 'invalid',
      status: 404,
      code: 'NOT_FOUND',
      message: 'the path must be /stream/{stream}/{group} or /stream/{stream}/{group}/{item}',
    };
  const names = segments.map(percentDecode);
  if (!names.every((name, at) => name !== undefined && (at === 0 ? isStreamName(name) : isValidId(name))))
    return invalid(`stream, group and item are at most ${LIMITS.idBytes} bytes of UTF-8 without control characters`, 'INVALID_ID');
  const [stream, group, item] = names as [string, string, string | undefined];
  return { stream, group, item };
}

function readQuery(rawQuery: string, item: string | undefined): ReadQuery | Invalid {
  const given = decodeQuery(rawQuery);
  const last = (name: string) => given[name]?.at(-1);
  const limit = readCount(last('limit'), 1, LIMITS.readPageItems);
  if (limit === 'malformed') return invalid(`limit must be a whole number from 1 to ${LIMITS.readPageItems}`);
  const waitS = readCount(last('wait'), 0, LIMITS.longPollMs / 1_000);
  if (waitS === 'malformed') return invalid(`wait must be a whole number of seconds from 0 to ${LIMITS.longPollMs / 1_000}`);
  const since = readSince(last('since'));
  const after = last('after');
  if (after !== undefined && !isValidId(after)) return invalid('after must be the id of an item', 'INVALID_ID');
  if (since === undefined && waitS !== undefined) return invalid('wait needs since, the position after which a change counts');
  if ((limit !== undefined || after !== undefined) && (since !== undefined || item !== undefined))
    return invalid('limit and after are for the items of a group, without since');
  return { limit, after, since, sinceText: last('since'), waitS: waitS ?? 0 };
}

function readCount(text: string | undefined, least: number, most: number): number | 'malformed' | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  return value >= least && value <= most ? value : 'malformed';
}

function invalid(message: string, code: ErrorCode = 'INVALID_ARGUMENTS'): Invalid {
  return { kind: 'invalid', status: 400, code, message };
}
