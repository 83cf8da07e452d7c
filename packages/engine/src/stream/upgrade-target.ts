import { percentDecode } from '../core/access/upgrade-input.js';
import { isValidId } from '../store/ids.js';

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
