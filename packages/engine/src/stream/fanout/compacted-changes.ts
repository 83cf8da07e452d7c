import type { Position, SyncReason } from '@rivulet/protocol';
import type { ChangeEntry, StreamStore } from '../../store/store.js';
import { encodeTextFrame } from '../../transport/websocket-frame.js';
import type { EntryFilter } from '../frames/compacted-block.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import { ReadEndedError } from '../frames/read-ended.js';
import type { SharedTurn } from '../frames/shared-turn.js';
import { type GroupFanout, SEGMENT_BYTES } from './group-fanout.js';
import type { SharedChanges } from './shared-changes.js';
import type { Subscriber } from './subscriber.js';
import type { Membership, OwedAnswer, Subscription } from './subscription.js';
import { type WriteOutcome, writeSoon, writeWhole } from './sync.js';

/** Bytes below which pieces are copied into one buffer. Larger pieces are written as they are. */
const JOINED_BYTES = 16_384;

/** The changes of a group, or of one item, since a position before the log: each item once (rule RV-7). The caller must close it. */
export interface Compacted {
  readonly position: Position;
  /**
   * Writes the changes that `filter` wants, between the frames that begin and end them for each member. The frame that announces lost
   * events is written together with the end.
   */
  writeTo(to: Reader): Promise<WriteOutcome>;
  close(): void;
}

export interface Reader {
  readonly subscriber: Subscriber;
  readonly members: readonly Membership[];
  readonly filter: EntryFilter;
}

/** The filter of a reader that wants every item. */
export const EVERY_ITEM: EntryFilter = { wantsAll: true, wants: () => true };

export type CompactedRead = { readonly kind: 'stale'; readonly reason: SyncReason } | ({ readonly kind: 'compacted' } & Compacted);

interface CompactedDeps {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
  readonly changes: SharedChanges;
  readonly turns: SharedTurn;
}

/** Reads the changes of a group since a position. */
export async function readCompacted(
  { frames, changes, turns }: CompactedDeps,
  fanout: GroupFanout,
  since: Position,
): Promise<CompactedRead> {
  const read = await changes.read(fanout, since);
  if (read.kind === 'stale') return read;
  const { position, pinned } = read;
  return {
    kind: 'compacted',
    position,
    writeTo: async ({ subscriber, members, filter }) => {
      const write = (pieces: readonly Buffer[]) => (pinned ? writeSoon : writeWhole)(subscriber, joined(pieces));
      let pending = members.map((member) => begin(frames, member, since, position));
      let bytes = 0;
      let begun: WriteOutcome = 'nothing';
      try {
        for await (const piece of read.pieces(filter)) {
          if (bytes > 0 && bytes + piece.length > SEGMENT_BYTES) {
            await turns.take(bytes);
            if (!(await write(pending))) return begun;
            begun = 'begun';
            pending = [];
            bytes = 0;
          }
          pending.push(piece);
          bytes += piece.length;
        }
      } catch (error) {
        if (error instanceof ReadEndedError) return begun;
        throw error;
      }
      for (const member of members) pending.push(...end(frames, fanout, member, since, position));
      await turns.take(bytes);
      return (await write(pending)) ? 'whole' : begun;
    },
    close: () => read.close(),
  };
}

/** Reads the change of one item since a position: its newest value is all that a client needs. */
export async function readCompactedItem(
  { store, frames }: Pick<CompactedDeps, 'store' | 'frames'>,
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

/** Joins small pieces, so that the socket sends them together. A large shared piece is not copied. */
function joined(pieces: readonly Buffer[]): readonly Buffer[] {
  return pieces.length > 1 && pieces.every(({ length }) => length < JOINED_BYTES) ? [Buffer.concat(pieces)] : pieces;
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

/**
 * Returns the frames that name the subscriptions which the next `sync` is for (rule RV-16), each with the frame that announces lost
 * events (rule RV-9). Behind the `sync` that frame would come too late: a client that lost its connection in between would already have
 * the new position.
 */
export function framesBeforeSync(
  frames: FrameEncoder,
  subscription: Subscription,
  answer: OwedAnswer,
  after: number | undefined,
  through: number,
): Buffer {
  const { fanout, subscriber } = subscription;
  const written = subscription.receivers(answer).flatMap(({ id: subscriptionId }) => {
    const syncing = frames.control({ type: 'syncing', data: { subscriptionId } });
    const isAnnounced = subscriber.positions && after !== undefined;
    const gap = isAnnounced ? gapFrame(frames, fanout, { subscriptionId, after, through }) : undefined;
    return gap === undefined ? [syncing] : [syncing, gap];
  });
  return Buffer.concat(written);
}

/** Returns the frame that announces lost events (rule RV-9); `undefined` when there were certainly none. */
function gapFrame(
  frames: FrameEncoder,
  { log }: GroupFanout,
  gap: { readonly subscriptionId: string; readonly after: number; readonly through: number },
): Buffer | undefined {
  if (gap.after >= gap.through) return undefined;
  const count = log.events(gap.after, gap.through);
  if (count === 0) return undefined;
  return frames.control({ type: 'gap', data: count === undefined ? gap : { ...gap, count } });
}
