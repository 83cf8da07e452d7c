import { FrameBlocks } from '../frames/frame-blocks.js';

/** One change of a log. */
export interface LogEntry {
  readonly offset: number;
  readonly item: string | undefined;
  /** The change as a finished WebSocket frame. */
  readonly frame: Buffer;
  /** Monotonic milliseconds at which it was appended. */
  readonly time: number;
}

/**
 * The last changes of one group as finished WebSocket frames, in offset order and without holes. Live subscribers share a batch of it, and
 * a lagging one catches up exactly. A change that has left the log is not lost, because the store has the item.
 */
export class GroupLog {
  #frames = NO_FRAMES;
  #items = NO_ITEMS;
  #times = NO_TIMES;
  /** `undefined` while the log is empty. */
  #blocks: FrameBlocks | undefined;
  /** Index of the oldest entry. Earlier places of the arrays are free until the arrays are compacted. */
  #start = 0;
  /** Offset of the entry at index 0 of the arrays, minus 1. An entry at index i has the offset `#zero + 1 + i`. */
  #zero = 0;
  #begun = false;
  #bytes = 0;
  #head = 0;
  /** Offsets of all events after `#eventsFrom`, ascending; events that left the log are included. */
  #events = NO_TIMES;
  /** Offset after which every event is known. */
  #eventsFrom = 0;

  /** False until the first `append` or `begin`. No cursor can exist before. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Offset of the newest change. */
  get head(): number {
    return this.#head;
  }

  /** Lowest cursor that the log can serve. */
  get base(): number {
    return this.#zero + this.#start;
  }

  get length(): number {
    return this.#frames.length - this.#start;
  }

  /** Bytes that the log is charged for: its frames, and a flat cost of each entry. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Monotonic milliseconds at which the oldest entry was appended; `undefined` while the log is empty. */
  get oldestTime(): number | undefined {
    return this.#times[this.#start];
  }

  /** Sets the position of the group, unless it is known already. */
  begin(offset: number): void {
    if (this.#begun) return;
    this.#reset(offset);
  }

  /**
   * Appends the change at `offset`. Returns false, and changes nothing, when the log has that offset already. At a hole the log is emptied
   * first: a cursor before the hole must take a snapshot, and never skips a change silently. `event`: the store does not keep the change.
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

  /** Empties the log; the next change has the offset after `offset`. */
  restart(offset: number): void {
    this.#reset(offset);
  }

  /** Removes the oldest change, if there is one. Returns the number of bytes that this frees. */
  dropOldest(): number {
    const frame = this.#frames[this.#start];
    if (frame === undefined) return 0;
    // The frame is released at once. The arrays are compacted later.
    this.#frames[this.#start] = DROPPED;
    this.#start++;
    const freed = frame.length + ENTRY_BYTES;
    this.#bytes -= freed;
    if (this.length === 0) this.#blocks = undefined;
    if (this.#start > 64 && this.#start * 2 > this.#frames.length) this.#compact();
    return freed;
  }

  /** Returns the number of events with `after < offset <= through`; `undefined` when that is not known any more. */
  events(after: number, through: number): number | undefined {
    if (!this.#begun || after < this.#eventsFrom || through > this.#head) return undefined;
    return firstAbove(this.#events, through) - firstAbove(this.#events, after);
  }

  /** Returns the next frames for a cursor, and the cursor after them. `base <= cursor <= head` must hold. */
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

  /** Returns the change at an offset; `undefined` when the log does not have it. */
  entry(offset: number): LogEntry | undefined {
    const index = offset - this.#zero - 1;
    const frame = index >= this.#start ? this.#frames[index] : undefined;
    return frame === undefined ? undefined : { offset, item: this.#items[index], frame, time: this.#times[index] ?? 0 };
  }

  /** Returns the newest change of an item; `undefined` when the log has none. */
  newestOf(item: string): LogEntry | undefined {
    const index = this.#items.lastIndexOf(item);
    return index < 0 ? undefined : this.entry(this.#zero + 1 + index);
  }

  /** Returns the items that changed after `from`, each once. */
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

/** Shared by all logs without entries, since an engine may have thousands of idle groups. Never changed. */
const NO_FRAMES: Buffer[] = [];
const NO_ITEMS: (string | undefined)[] = [];
const NO_TIMES: number[] = [];

/** Number of the newest events whose offsets are known also after they left the log. */
const KNOWN_EVENTS = 8_192;

/** Takes the place of a frame that left the log. */
const DROPPED = Buffer.alloc(0);

/** Bytes that an entry costs beside its frame: three array slots, the Buffer object, and slack of the allocator. */
const ENTRY_BYTES = 160;

export interface StretchOptions {
  /** Bytes at most, but at least one frame. */
  readonly maxBytes: number;
  /** Last offset of the stretch. @default the head */
  readonly through?: number;
  /** Chooses the changes. @default all */
  readonly filter?: { wants(item: string | undefined): boolean };
}

export interface Stretch {
  /** `undefined` when the filter wants no change of the stretch. */
  readonly frames: Buffer | undefined;
  readonly cursor: number;
}

function joinFrames(frames: readonly Buffer[]): Buffer | undefined {
  if (frames.length <= 1) return frames[0];
  return Buffer.concat(frames);
}

/** Returns the index of the first number above `limit`; `numbers` are ascending. */
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
