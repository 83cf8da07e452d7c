import type { Position, SyncReason } from '@rivulet/protocol';
import type { ChangeEntry, StreamStore } from '../store/store.js';
import { encodeTextFrame } from '../structures/websocket-frame.js';
import type { FrameEncoder } from './frame-encoder.js';
import { type GroupFanout, SEGMENT_BYTES } from './group-fanout.js';
import type { Membership, Subscriber } from './subscription.js';
import { type Written, writeSoon } from './sync.js';

/** What changed in a group, or in one item, since a position that the log does not reach back to: each item once (rule RV-7). */
export interface Compacted {
  readonly position: Position;
  /**
   * Writes the changes that `wants` wants, between the frames that begin and end them for `members`; in one piece with the end what events
   * are lost. As with a `sync`.
   */
  writeTo(to: Reader): Promise<Written>;
  close(): void;
}

export interface Reader {
  readonly subscriber: Subscriber;
  readonly members: readonly Membership[];
  readonly wants: (item: string) => boolean;
}

export type CompactedRead = { readonly kind: 'stale'; readonly reason: SyncReason } | ({ readonly kind: 'compacted' } & Compacted);

interface Sources {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
}

/** Of a group, from one view of the store. */
export async function readCompacted({ store, frames }: Sources, fanout: GroupFanout, since: Position): Promise<CompactedRead> {
  const changes = await store.changes(fanout, since);
  if (changes.kind === 'stale') return changes;
  const { position, timestamp } = changes;
  if (position.offset < since.offset) {
    changes.close();
    return { kind: 'stale', reason: 'ahead' };
  }
  const frame = (entry: ChangeEntry) => encodeTextFrame(frames.compacted(fanout, entry, since.offset, timestamp));
  return {
    kind: 'compacted',
    position,
    writeTo: async ({ subscriber, members, wants }) => {
      let pending = members.map((member) => begin(frames, member, since, position));
      let bytes = 0;
      let begun: Written = 'nothing';
      for await (const chunk of changes.chunks()) {
        for (const entry of chunk) {
          if (!wants(entry.item)) continue;
          const next = frame(entry);
          if (bytes > 0 && bytes + next.length > SEGMENT_BYTES) {
            if (!(await writeSoon(subscriber, Buffer.concat(pending)))) return begun;
            begun = 'begun';
            pending = [];
            bytes = 0;
          }
          pending.push(next);
          bytes += next.length;
        }
      }
      for (const member of members) pending.push(...end(frames, fanout, member, since, position));
      return (await writeSoon(subscriber, Buffer.concat(pending))) ? 'whole' : begun;
    },
    close: () => changes.close(),
  };
}

/** Of one item: its newest value tells all. */
export async function readCompactedItem(
  { store, frames }: Sources,
  fanout: GroupFanout,
  item: string,
  since: Position,
): Promise<CompactedRead> {
  const { position, timestamp, value } = await store.get(fanout, item);
  if (position.epoch !== since.epoch) return { kind: 'stale', reason: 'epoch' };
  if (position.offset < since.offset) return { kind: 'stale', reason: 'ahead' };
  const entry: ChangeEntry =
    value === undefined
      ? { kind: 'tombstone', item, changed: position.offset, created: 0, valueId: undefined }
      : { kind: 'item', ...value };
  return {
    kind: 'compacted',
    position,
    writeTo: async ({ subscriber, members }) => {
      const written = members.map((member) => begin(frames, member, since, position));
      if (entry.changed > since.offset) written.push(encodeTextFrame(frames.compacted(fanout, entry, since.offset, timestamp)));
      for (const member of members) written.push(...end(frames, fanout, member, since, position));
      return (await writeSoon(subscriber, Buffer.concat(written))) ? 'whole' : 'nothing';
    },
    close() {},
  };
}

function begin(frames: FrameEncoder, { id: subscriptionId }: Membership, since: Position, { epoch, offset }: Position): Buffer {
  return frames.control({ type: 'resumed', data: { subscriptionId, mode: 'changes', epoch, from: since.offset, to: offset } });
}

function end(
  frames: FrameEncoder,
  fanout: GroupFanout,
  { id: subscriptionId }: Membership,
  since: Position,
  { epoch, offset }: Position,
): Buffer[] {
  const ended = frames.control({ type: 'caught_up', data: { subscriptionId, epoch, offset } });
  const gap = gapFrame(frames, fanout, { subscriptionId, after: since.offset, through: offset });
  return gap === undefined ? [ended] : [gap, ended];
}

/** What a client is told of events that it will never see; `undefined` when it is known that there were none (rule RV-9). */
export function gapFrame(
  frames: FrameEncoder,
  { log }: GroupFanout,
  gap: { readonly subscriptionId: string; readonly after: number; readonly through: number },
): Buffer | undefined {
  if (gap.after >= gap.through) return undefined;
  const count = log.events(gap.after, gap.through);
  if (count === 0) return undefined;
  return frames.control({ type: 'gap', data: count === undefined ? gap : { ...gap, count } });
}
