import type { NewOp, ShownItem } from '../history/op.js';
import { describeState } from '../state-hash.js';
import type { SyncItem, WireFrame } from './wire-frame.js';

type ChangeFrame = Extract<WireFrame, { kind: 'change' }>;
type SyncFrame = Extract<WireFrame, { kind: 'sync' }>;
type ResumedFrame = Extract<WireFrame, { kind: 'resumed' }>;

export interface MirrorOptions {
  /** Name of the process in the history; one for each subscription. */
  readonly p: string;
  readonly group: string;
  readonly item: string | undefined;
  /** It said that it knows positions: a `sync` counts only when it is named for it. */
  readonly positions: boolean;
  readonly record: (op: NewOp) => void;
}

interface Held {
  readonly value: string;
  readonly created: number;
}

/**
 * What one subscription holds, kept by the rules of the wire: frames are applied in order, a batch and compacted changes in one step,
 * repetitions are dropped. It judges nothing: whatever comes is recorded, and the invariants judge.
 */
export class Mirror {
  readonly options: MirrorOptions;
  #items = new Map<string, Held>();
  #epoch: string | undefined;
  #offset = 0;
  /** Frames of a batch, or of compacted changes, that count only together. */
  #pending: ChangeFrame[] = [];
  #compacting = false;
  #parts: SyncItem[] | undefined;
  /** The next `sync` is for it. */
  #named = false;
  /** Asked for and not answered: what comes is for others on this socket. */
  #waiting = true;
  #reason: string | undefined;
  #loose = false;
  /** Changes that were shown. */
  shown = 0;

  constructor(options: MirrorOptions) {
    this.options = options;
  }

  /** Where it stands; `undefined` before its first state. */
  get position(): { readonly epoch: string; readonly offset: number } | undefined {
    return this.#epoch === undefined ? undefined : { epoch: this.#epoch, offset: this.#offset };
  }

  /** In the middle of something that a lost connection takes back. */
  get between(): boolean {
    return this.#waiting || this.#compacting || this.#pending.length > 0 || this.#parts !== undefined;
  }

  /** It was asked for: nothing counts before the answer. */
  asked(): void {
    this.cut();
    this.#waiting = true;
  }

  /** The connection is lost: what was not complete never was. */
  cut(): void {
    this.#pending = [];
    this.#compacting = false;
    this.#parts = undefined;
    this.#named = false;
  }

  /** Forgets everything, to join without a position. */
  forget(): void {
    this.cut();
    this.#items.clear();
    this.#epoch = undefined;
    this.#offset = 0;
  }

  syncing(): void {
    this.#named = true;
  }

  sync(frame: SyncFrame): void {
    // For others on this socket.
    if (this.options.positions && !this.#named) return;
    this.#pending = [];
    this.#compacting = false;
    if (frame.part === 0 || frame.part === undefined) {
      this.#parts = [];
      this.#reason = frame.reason;
    }
    this.#parts?.push(...frame.items);
    if (!frame.last || this.#parts === undefined) return;
    const items = this.#parts;
    this.#parts = undefined;
    this.#named = false;
    this.#waiting = false;
    this.#items = new Map(
      items.map(({ id, value, created }, index) => [id ?? `?${index}`, { value: value ?? '', created: created ?? index }]),
    );
    this.#epoch = frame.epoch ?? '';
    this.#offset = frame.offset ?? 0;
    const { p, group: g, item } = this.options;
    this.#loose = items.some(({ created }) => created === undefined);
    // As the frame told it, not as a map orders it: an order that is wrong must be seen.
    const told = items.map(
      ({ id, value, created }, index): ShownItem => [id ?? `?${index}`, value ?? '', this.#loose ? 0 : (created ?? 0)],
    );
    this.#record({
      p,
      type: 'ok',
      f: 'snapshot',
      g,
      e: this.#epoch,
      s: this.#offset,
      ...describeState(told),
      ...(this.#loose ? { loose: true } : {}),
      ...(item === undefined ? {} : { item }),
      ts: frame.ts,
      ...(this.#reason === undefined ? {} : { reset: this.#reason }),
    });
  }

  resumed(frame: ResumedFrame): void {
    this.cut();
    this.#waiting = false;
    this.#compacting = frame.mode === 'changes';
    const { p, group: g, item } = this.options;
    const { epoch: e, mode, from, to } = frame;
    this.#record({ p, type: 'ok', f: 'resumed', g, e, mode, from, to, ...(item === undefined ? {} : { item }) });
  }

  caughtUp(epoch: string, offset: number): void {
    const { p, group: g, item } = this.options;
    this.#compacting = false;
    for (const frame of this.#pending.splice(0)) {
      if ((frame.offset ?? 0) > this.#offset || epoch !== this.#epoch) this.#show(frame, true);
      else this.#recordChange(frame, 'wire', true);
    }
    this.#offset = epoch === this.#epoch ? Math.max(this.#offset, offset) : offset;
    this.#epoch = epoch;
    this.#record({ p, type: 'ok', f: 'caught_up', g, e: epoch, s: offset, ...(item === undefined ? {} : { item }) });
    this.recordState();
  }

  gap(after: number, through: number): void {
    this.#record({ p: this.options.p, type: 'ok', f: 'gap', g: this.options.group, after, through });
  }

  change(frame: ChangeFrame): void {
    const offset = frame.offset ?? 0;
    if (frame.created !== undefined) {
      // Others on this socket get compacted changes; this one has them.
      if (this.#compacting) this.#pending.push(frame);
      return;
    }
    if (this.#waiting) return;
    if (offset <= this.#offset) {
      this.#recordChange(frame, 'wire', false);
      return;
    }
    if (frame.through !== undefined && frame.through > offset && this.options.item === undefined) {
      this.#pending.push(frame);
      return;
    }
    if (!this.#compacting) for (const held of this.#pending.splice(0)) this.#show(held, false);
    this.#show(frame, false);
    this.#offset = offset;
  }

  /** Tells the history what it holds. */
  recordState(): void {
    if (this.#epoch === undefined) return;
    const { p, group: g, item } = this.options;
    const state = { ...describeState(this.items()), ...(this.#loose ? { loose: true } : {}) };
    this.#record({ p, type: 'ok', f: 'mirror', g, e: this.#epoch, s: this.#offset, ...state, ...(item === undefined ? {} : { item }) });
  }

  held(item: string): string | undefined {
    return this.#items.get(item)?.value;
  }

  /** In the order of the group. */
  items(): ShownItem[] {
    const items = [...this.#items].map(([id, { value, created }]): ShownItem => [id, value, created]).sort((a, b) => a[2] - b[2]);
    return this.#loose ? items.map(([id, value]) => [id, value, 0]) : items;
  }

  #show(frame: ChangeFrame, compacted: boolean): void {
    this.shown++;
    this.#recordChange(frame, 'sdk', compacted);
    const { item, effect, value } = frame;
    if (item === undefined || effect === 'event') return;
    if (effect === 'delete') {
      this.#items.delete(item);
      return;
    }
    const known = this.#items.get(item)?.created;
    // Where only the order is known, offsets would not sort among the places that stand for it.
    const told = this.#loose && effect === 'update' ? (known ?? frame.created) : frame.created;
    const created = told ?? (effect === 'create' ? undefined : known) ?? frame.offset ?? 0;
    this.#items.set(item, { value: value ?? '', created });
  }

  #recordChange(frame: ChangeFrame, via: 'sdk' | 'wire', compacted: boolean): void {
    const { p, group: g, item } = this.options;
    const { effect, item: k, value: v, through } = frame;
    this.#record({
      p,
      type: 'ok',
      f: 'recv',
      g,
      e: this.#epoch ?? '',
      s: frame.offset ?? 0,
      op: effect,
      ...(k === undefined ? {} : { k }),
      ...(v === undefined ? {} : { v }),
      ...(item === undefined ? {} : { item }),
      via,
      ...(compacted ? { compacted } : { ts: frame.ts }),
      ...(through === undefined ? {} : { through }),
    });
  }

  #record(op: NewOp): void {
    this.options.record(op);
  }
}
