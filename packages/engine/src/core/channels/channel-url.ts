import type { UpgradeRequest } from '../../transport/upgrade/upgrade-request.js';
import type { ChannelDirection } from './channel.js';

export type ChannelTarget =
  | { readonly kind: 'channel'; readonly id: string; readonly direction: ChannelDirection; readonly key: string }
  /** The path names a channel, but the key or the direction is missing or malformed. */
  | { readonly kind: 'invalid' }
  | { readonly kind: 'other' };

const PREFIX = '/ws/channels/';
const KEY_CHARS = 256;

/**
 * Returns the channel that an upgrade names. SDKs append the channel's path to the URL of the engine as text. When that URL has a query,
 * path and key arrive inside the query: `/?token=t/ws/channels/ID?key=K&dir=read` (spec RB §5.6).
 */
export function readChannelTarget({ path, rawQuery }: Pick<UpgradeRequest, 'path' | 'rawQuery'>): ChannelTarget {
  const whole = path.replace(/^\/{2,}/, '/');
  if (whole.startsWith(PREFIX)) return read(whole.slice(PREFIX.length), rawQuery);
  const at = whole === '/' || whole === '' ? rawQuery.lastIndexOf(PREFIX) : -1;
  if (at < 0) return { kind: 'other' };
  const [id = '', query = ''] = rawQuery.slice(at + PREFIX.length).split('?', 2);
  return read(id, query);
}

function read(id: string, query: string): ChannelTarget {
  const parameters = new URLSearchParams(query);
  const key = parameters.get('key') ?? '';
  const direction = parameters.get('dir');
  if (key === '' || key.length > KEY_CHARS || (direction !== 'read' && direction !== 'write')) return { kind: 'invalid' };
  return { kind: 'channel', id, direction, key };
}
