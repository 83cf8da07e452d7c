import { FrameBlocks } from '../frames/frame-blocks.js';

/**
 * The tail of one group: its last changes as finished WebSocket frames, in offset order without holes. It is what lets a live
 * subscriber share a batch and a lagging one catch up exactly. What has fallen out of it is not lost: the store has the items.
 */
export class GroupLog {
  #frames = NO_FRAMES;
  #items = NO_ITEMS;
  #times = NO_TIMES;
  /** `undefined` while the log is empty. */
  #blocks: FrameBlocks | undefined;
  /** Entries before this index of the arrays are gone; the arrays are compacted now and then. */
  #start = 0;
  /** Offset of the entry at index 0 of the arrays, minus 1. */
  #zero = 0;
  #begun = false;
  #bytes = 0;
  #head = 0;
  /** Offsets of the events after `#eventsFrom`, ascending; also of those that fell out of the log. */
  #events = NO_TIMES;
  /** Every event after this offset is known. */
  #eventsFrom = 0;

  /** False until the first append or `begin`: no cursor can exist yet. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Offset of the last change known here. */
  get head(): number {
    return this.#head;
  }

  /** A cursor at or above this offset can be served. */
  get base(): number {
    return this.#zero + this.#start;
  }

  get length(): number {
    return this.#frames.length - this.#start;
  }

  /** Memory charged to the log: frame bytes and a flat cost for each entry. */
  get bytes(): number {
    return this.#bytes;
  }

  get oldestTime(): number | undefined {
    return this.#times[this.#start];
  }

  /** States where the group stands when nothing was appended yet. */
  begin(offset: number): void {
    if (this.#begun) return;
    this.#reset(offset);
  }

  /**
   * Adds the change at `offset`. One that is known already is ignored (`false`); a hole empties the log first, so that
   * a cursor before it is told to take a snapshot and never skips silently. `event`: it is stored nowhere else.
   */
  append(offset: number, item: string | undefined, frame: Buffer, time: number, event = false): boolean {
    if (!this.#begun) this.#reset(offset - 1);
    else if (offset <= this.#head) return false;
    else if (offset !== this.#head + 1) this.#reset(offset - 1);
    if (this.#frames === NO_FRAMES) {
      this.#frames = [];
      this.#items = [];
      this.#times = [];
    }
    this.#frames.push((this.#blocks ??= new FrameBlocks()).keep(frame, this.#bytes));
    this.#items.push(item);
    this.#times.push(time);
    this.#head = offset;
    this.#bytes += frame.length + ENTRY_BYTES;
    if (event) this.#noteEvent(offset);
    return true;
  }

  /** Forgets everything; the history goes on at `offset`. */
  restart(offset: number): void {
    this.#reset(offset);
  }

  /** Forgets the oldest entry; answers the bytes freed. */
  dropOldest(): number {
    const frame = this.#frames[this.#start];
    if (frame === undefined) return 0;
    // Released now: the arrays themselves are compacted later.
    this.#frames[this.#start] = DROPPED;
    this.#start++;
    const freed = frame.length + ENTRY_BYTES;
    this.#bytes -= freed;
    if (this.length === 0) this.#blocks = undefined;
    if (this.#start > 64 && this.#start * 2 > this.#frames.length) this.#compact();
    return freed;
  }

  /** How many events there were with `after < offset <= through`; `undefined` when that is not known any more. */
  events(after: number, through: number): number | undefined {
    if (!this.#begun || after < this.#eventsFrom || through > this.#head) return undefined;
    return firstAbove(this.#events, through) - firstAbove(this.#events, after);
  }

  /** The next stretch of frames for a cursor, and the cursor after it. `base <= cursor <= head` must hold. */
  stretch(cursor: number, options: StretchOptions): Stretch {
    const chosen: Buffer[] = [];
    let bytes = 0;
    let at = cursor;
    const last = Math.min(options.through ?? this.#head, this.#head);
    while (at < last) {
      const index = at - this.#zero;
      const frame = this.#frames[index] as Buffer;
      const wanted = options.filter === undefined || options.filter.wants(this.#items[index]);
      if (wanted && bytes > 0 && bytes + frame.length > options.maxBytes) break;
      at++;
      if (!wanted) continue;
      chosen.push(frame);
      bytes += frame.length;
    }
    return { frames: joinFrames(chosen), cursor: at };
  }

  /** Items named by the changes after `from` up to and with the head, each once. */
  changedItems(from: number): Set<string> {
    const items = new Set<string>();
    for (let index = Math.max(from - this.#zero, this.#start); index < this.#items.length; index++) {
      const item = this.#items[index];
      if (item !== undefined) items.add(item);
    }
    return items;
  }

  #reset(offset: number): void {
    this.#frames = NO_FRAMES;
    this.#items = NO_ITEMS;
    this.#times = NO_TIMES;
    this.#blocks = undefined;
    this.#start = 0;
    this.#zero = offset;
    this.#head = offset;
    this.#bytes = 0;
    this.#begun = true;
    this.#events = NO_TIMES;
    this.#eventsFrom = offset;
  }

  #noteEvent(offset: number): void {
    if (this.#events === NO_TIMES) this.#events = [];
    this.#events.push(offset);
    if (this.#events.length <= 2 * KNOWN_EVENTS) return;
    this.#eventsFrom = this.#events[KNOWN_EVENTS - 1] as number;
    this.#events = this.#events.slice(KNOWN_EVENTS);
  }

  #compact(): void {
    this.#frames = this.#frames.slice(this.#start);
    this.#items = this.#items.slice(this.#start);
    this.#times = this.#times.slice(this.#start);
    this.#zero += this.#start;
    this.#start = 0;
  }
}

/** Shared until the first append: an idle group is paid for many thousand times. Never pushed to. */
const NO_FRAMES: Buffer[] = [];
const NO_ITEMS: (string | undefined)[] = [];
const NO_TIMES: number[] = [];

/** So many events at least are counted after they fell out of the log. */
const KNOWN_EVENTS = 8_192;

/** In the place of a frame that is gone. */
const DROPPED = Buffer.alloc(0);

/** What an entry costs beside its frame: three array slots, the Buffer object, allocator slack. */
const ENTRY_BYTES = 160;

export interface StretchOptions {
  /** At most so many bytes, but at least one frame. */
  readonly maxBytes: number;
  /** Stop after this offset; default: the head. */
  readonly through?: number;
  /** Whose changes are wanted; default: all. */
  readonly filter?: { wants(item: string | undefined): boolean };
}

export interface Stretch {
  /** `undefined` when nothing in the stretch was wanted. */
  readonly frames: Buffer | undefined;
  readonly cursor: number;
}

function joinFrames(frames: readonly Buffer[]): Buffer | undefined {
  if (frames.length <= 1) return frames[0];
  return Buffer.concat(frames);
}

/** Index of the first number above `limit` in ascending `numbers`. */
function firstAbove(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] as number) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}
