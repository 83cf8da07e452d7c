import { field, LIMITS } from '@rivulet/protocol';
import { mismatch } from '../builtins/input.js';
import { ENGINE_SCHEMAS } from '../contracts/engine-schemas.js';
import type { Fabric } from '../fabric/fabric.js';
import type { Channel, ChannelDirection } from './channel.js';
import type { Channels } from './channels.js';

/** A reference to one end of a channel. It travels inside payloads, and SDKs replace it by a live reader or writer. */
export interface ChannelRef {
  readonly channel_id: string;
  readonly access_key: string;
  readonly direction: ChannelDirection;
}

export function channelRef(channel: Channel, direction: ChannelDirection): ChannelRef {
  return { channel_id: channel.id, access_key: channel.keys[direction], direction };
}

/** Registers `engine::channels::create`. */
export function registerChannelFunctions(fabric: Fabric, channels: Channels): void {
  fabric.registerBuiltin(
    'engine::channels::create',
    ({ payload, caller }) => {
      const { value } = payload;
      if (value !== null && (typeof value !== 'object' || Array.isArray(value))) throw mismatch('the input must be an object');
      const requested = value === null ? undefined : field(value as Readonly<Record<string, unknown>>, 'buffer_size');
      const channel = channels.create(readCapacity(requested ?? LIMITS.channelMessages), caller);
      const answer = { writer: channelRef(channel, 'write'), reader: channelRef(channel, 'read') };
      return { kind: 'result', text: JSON.stringify(answer) };
    },
    'Creates a channel: a bounded pipe with a reference to each end.',
    ENGINE_SCHEMAS['engine::channels::create'],
  );
}

/** Returns the capacity in messages. The nearest bound replaces a number outside the bounds. */
function readCapacity(requested: unknown): number {
  if (typeof requested !== 'number' || !Number.isFinite(requested)) throw mismatch('buffer_size must be a number');
  return Math.min(Math.max(Math.floor(requested), 1), LIMITS.channelMessagesAsked);
}
