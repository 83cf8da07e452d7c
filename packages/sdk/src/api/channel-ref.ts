import { JSON_DEPTH, percentEncode } from '@rivulet/protocol';
import type { StreamChannelRef } from './types.js';

export function isChannelRef(value: unknown): value is StreamChannelRef {
  if (typeof value !== 'object' || value === null) return false;
  const { channel_id, access_key, direction } = value as Partial<Record<string, unknown>>;
  return typeof channel_id === 'string' && typeof access_key === 'string' && (direction === 'read' || direction === 'write');
}

/** Replaces every channel reference in a payload by the result of `open`. A payload without a reference stays the same object. */
export function replaceRefs(value: unknown, open: (ref: StreamChannelRef) => unknown): unknown {
  return replace(value, open, 0);
}

function replace(value: unknown, open: (ref: StreamChannelRef) => unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > JSON_DEPTH) return value;
  if (isChannelRef(value)) return open(value);
  // The payload was parsed for this call only, so it can be changed in place.
  const holder = value as Record<string, unknown>;
  for (const key of Object.keys(holder)) {
    const inner = holder[key];
    if (typeof inner !== 'object' || inner === null) continue;
    const replaced = replace(inner, open, depth + 1);
    if (replaced !== inner) Object.defineProperty(holder, key, { value: replaced, enumerable: true, writable: true, configurable: true });
  }
  return value;
}

/** Returns the address of one end of a channel. It has no part of the query of `engineUrl`, which may have credentials. */
export function channelUrl(engineUrl: string, ref: StreamChannelRef): string {
  // oxlint-disable-next-line eslint/no-restricted-globals -- the address of the worker was checked when it was made
  const url = new URL(engineUrl);
  const path = url.pathname.replace(/\/+$/, '');
  const query = `key=${percentEncode(ref.access_key)}&dir=${ref.direction}`;
  return `${url.protocol}//${url.host}${path}/ws/channels/${percentEncode(ref.channel_id)}?${query}`;
}

/** The most bytes of one frame of a channel. A reader in Python accepts less than 1 MiB. */
export const CHANNEL_FRAME_BYTES = 65_536;
