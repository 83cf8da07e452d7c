import { encodeGroupSyncTail, type Position, type SyncReason } from '@rivulet/protocol';
import type { GroupRef, Snapshot } from '../../store/store.js';
import { encodeTextFragment, encodeTextFrame } from '../../transport/websocket-frame.js';
import type { FrameEncoder } from './frame-encoder.js';

/** How a group `sync` is written that does not fit into one frame. */
export interface SyncShape {
  /** In messages that stand for themselves (rule RV-11); otherwise as one message in fragments, without ids. */
  readonly parts: boolean;
  readonly reason: SyncReason | undefined;
}

export interface Piece {
  readonly frame: Buffer;
  /** It is all of the `sync`. */
  readonly whole: boolean;
}

/** UTF-16 code units up to which a `sync` is one frame, ids included. */
const WHOLE_UNITS = 65_536;
/** UTF-16 code units after which a piece of a larger one ends; a single value may be larger. */
const PIECE_UNITS = 32_768;

/** The frames of a group `sync`, from first to last. One that is small has the same single frame in every shape. */
export async function* renderGroupSync(frames: FrameEncoder, ref: GroupRef, snapshot: Snapshot, shape: SyncShape): AsyncIterable<Piece> {
  const writer = new SyncWriter(frames, ref, snapshot, shape);
  for await (const chunk of snapshot.chunks()) {
    for (const { item, data, created } of chunk) {
      writer.add(item, frames.value(item, data), created);
      const piece = writer.full();
      if (piece !== undefined) yield piece;
    }
  }
  yield writer.end();
}

/** Collects values until a piece is full. */
class SyncWriter {
  readonly #frames: FrameEncoder;
  readonly #ref: GroupRef;
  readonly #position: Position;
  readonly #timestamp: number;
  readonly #shape: SyncShape;
  #text = '';
  #ids = '';
  #created = '';
  #pieces = 0;
  #empty = true;

  constructor(frames: FrameEncoder, ref: GroupRef, { position, timestamp }: Snapshot, shape: SyncShape) {
    this.#frames = frames;
    this.#ref = ref;
    this.#position = position;
    this.#timestamp = timestamp;
    this.#shape = shape;
    this.#text = this.#head();
  }

  add(item: string, data: string, created: number): void {
    // Fragments go on within one list; a part begins a list of its own.
    const separator = this.#empty ? '' : ',';
    this.#text += separator + data;
    this.#empty = false;
    if (this.#pieces > 0 && !this.#shape.parts) return;
    const comma = this.#ids === '' ? '' : ',';
    this.#ids += comma + JSON.stringify(item);
    this.#created += comma + created;
  }

  /** The piece that is full now, if it is. */
  full(): Piece | undefined {
    const units = this.#text.length + this.#ids.length + this.#created.length;
    if (units <= (this.#pieces === 0 ? WHOLE_UNITS : PIECE_UNITS)) return undefined;
    if (this.#shape.parts) return { frame: this.#part(false), whole: false };
    const frame = encodeTextFragment(this.#text, { first: this.#pieces === 0, last: false });
    this.#pieces++;
    this.#text = '';
    this.#ids = '';
    this.#created = '';
    return { frame, whole: false };
  }

  end(): Piece {
    const { reason, parts } = this.#shape;
    const position = { ...this.#position, reason };
    if (this.#pieces === 0) {
      const tail = encodeGroupSyncTail(position, { ids: this.#ids, created: this.#created });
      return { frame: encodeTextFrame(this.#text + tail), whole: true };
    }
    if (parts) return { frame: this.#part(true), whole: false };
    const frame = encodeTextFragment(this.#text + encodeGroupSyncTail(position, undefined), { first: false, last: true });
    return { frame, whole: false };
  }

  #head(): string {
    return this.#frames.groupSyncHead(this.#ref, this.#timestamp);
  }

  #part(last: boolean): Buffer {
    const part = this.#pieces++;
    const position = { ...this.#position, reason: part === 0 ? this.#shape.reason : undefined };
    const tail = encodeGroupSyncTail(position, { ids: this.#ids, created: this.#created }, { part, last });
    const frame = encodeTextFrame(this.#text + tail);
    this.#text = this.#head();
    this.#ids = '';
    this.#created = '';
    this.#empty = true;
    return frame;
  }
}
