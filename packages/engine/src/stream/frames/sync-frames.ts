import { encodeGroupSyncTail, type Position, type SyncReason } from '@rivulet/protocol';
import type { GroupRef, Snapshot } from '../../store/store.js';
import { encodeTextFragment, encodeTextFrame } from '../../transport/websocket-frame.js';
import type { FrameEncoder } from './frame-encoder.js';

/** The form of a group `sync` that does not fit into one frame. */
export interface SyncShape {
  /** `true`: several messages, each with ids (rule RV-11). `false`: one message in fragments, without ids (rule RV-12). */
  readonly parts: boolean;
  readonly reason: SyncReason | undefined;
}

/** UTF-16 code units up to which a `sync` is one frame, ids included. */
const WHOLE_UNITS = 65_536;
/** UTF-16 code units of a fragment, and of a part unless one value alone is larger. */
const PIECE_UNITS = 32_768;
/**
 * Bytes up to which a part is one frame; a larger one is cut into fragments. A reader that stalls owns `max_buffered_bytes` and one frame,
 * together less than 256 KiB by default.
 */
const PART_BYTES = 131_072;

/**
 * Yields the WebSocket frames of a group `sync`, from first to last. A frame without the FIN bit is a fragment: the next frame continues
 * the same message. A small `sync` is the same single frame in both shapes.
 */
export async function* renderGroupSync(frames: FrameEncoder, ref: GroupRef, snapshot: Snapshot, shape: SyncShape): AsyncIterable<Buffer> {
  const writer = new SyncWriter(frames, ref, snapshot, shape);
  for await (const chunk of snapshot.chunks()) {
    for (const { item, data, created } of chunk) {
      writer.add(item, frames.value(item, data), created);
      yield* writer.full();
    }
  }
  yield* writer.end();
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
  /** Parts, or calls of `full` that yielded fragments, so far. */
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
    // All fragments share one list of values. Each part has a list of its own.
    const separator = this.#empty ? '' : ',';
    this.#text += separator + data;
    this.#empty = false;
    if (this.#pieces > 0 && !this.#shape.parts) return;
    const comma = this.#ids === '' ? '' : ',';
    this.#ids += comma + JSON.stringify(item);
    this.#created += comma + created;
  }

  /** Yields the frames that are full now; none while more values fit. */
  *full(): Iterable<Buffer> {
    const units = this.#text.length + this.#ids.length + this.#created.length;
    if (units <= (this.#pieces === 0 ? WHOLE_UNITS : PIECE_UNITS)) return;
    if (this.#shape.parts) {
      yield* this.#part(false);
      return;
    }
    const text = this.#text;
    this.#text = '';
    this.#ids = '';
    this.#created = '';
    yield* fragments(text, { first: this.#pieces++ === 0, last: false });
  }

  *end(): Iterable<Buffer> {
    const { reason, parts } = this.#shape;
    const position = { ...this.#position, reason };
    if (this.#pieces === 0) {
      const tail = encodeGroupSyncTail(position, { ids: this.#ids, created: this.#created });
      yield encodeTextFrame(this.#text + tail);
    } else if (parts) {
      yield* this.#part(true);
    } else {
      yield* fragments(this.#text + encodeGroupSyncTail(position, undefined), { first: false, last: true });
    }
  }

  #head(): string {
    return this.#frames.groupSyncHead(this.#ref, this.#timestamp);
  }

  /** Yields the next part: a message in one frame, or in fragments when one value is large. */
  *#part(last: boolean): Iterable<Buffer> {
    const part = this.#pieces++;
    const position = { ...this.#position, reason: part === 0 ? this.#shape.reason : undefined };
    const tail = encodeGroupSyncTail(position, { ids: this.#ids, created: this.#created }, { part, last });
    const text = this.#text + tail;
    this.#text = this.#head();
    this.#ids = '';
    this.#created = '';
    this.#empty = true;
    if (Buffer.byteLength(text) <= PART_BYTES) yield encodeTextFrame(text);
    else yield* fragments(text, { first: true, last: true });
  }
}

/** Cuts a text into fragments. `first` and `last` say whether it begins and ends the message. */
function* fragments(text: string, { first, last }: { readonly first: boolean; readonly last: boolean }): Iterable<Buffer> {
  for (let at = 0; at < text.length; ) {
    const end = cutBefore(text, at + PIECE_UNITS);
    yield encodeTextFragment(text.slice(at, end), { first: first && at === 0, last: last && end === text.length });
    at = end;
  }
}

/** Returns `end`, or a place one unit before it: a surrogate pair cut in two would be encoded as two replacement characters. */
function cutBefore(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const unit = text.charCodeAt(end - 1);
  return unit >= 0xd800 && unit <= 0xdbff ? end - 1 : end;
}
