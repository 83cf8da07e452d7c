import type { Position } from '@rivulet/protocol';
import type { NewOp, ShownItem } from '../history/op.js';
import { describeState } from '../state-hash.js';
import type { SyncItem, WireFrame } from './wire-frame.js';

type ChangeFrame = Extract<WireFrame, { kind: 'change' }>;
type SyncFrame = Extract<WireFrame, { kind: 'sync' }>;
type ResumedFrame = Extract<WireFrame, { kind: 'resumed' }>;

export interface MirrorOptions {
  /** Name of the process in the history. Each subscription has its own. */
  readonly p: string;
  readonly group: string;
  readonly item: string | undefined;
  /** Whether the subscription is position-aware. Then a `sync` counts only after a `syncing` frame with the name of this subscription. */
  readonly positions: boolean;
  readonly record: (op: NewOp) => void;
}

interface Held {
  readonly value: string;
  readonly created: number;
}

/**
 * The state of one subscription, built from its frames by the rules of the protocol. It applies frames in order. It applies a batch and
 * compacted changes in one step, and drops repetitions.
 * The mirror does not judge. It records everything that arrives, and the invariants judge the record.
 */
export class Mirror {
  readonly options: MirrorOptions;
  #items = new Map<string, Held>();
  #epoch: string | undefined;
  #offset = 0;
  /** Frames of a batch, or of compacted changes, that are not complete yet. */
  #pending: ChangeFrame[] = [];
  #compacting = false;
  #parts: SyncItem[] | undefined;
  /** Whether the next `sync` is for this subscription. */
  #named = false;
  /** The lost events that the engine announced with the next `sync`. They are void when the connection ends before the `sync`. */
  #gaps: { readonly after: number; readonly through: number }[] = [];
  /** Whether the join is still unanswered. Until then frames on this socket are for other subscriptions. */
  #waiting = true;
  #reason: string | undefined;
  #loose = false;
  /** Number of changes that the application has seen. */
  shown = 0;

  constructor(options: MirrorOptions) {
    this.options = options;
  }

  /** Position of the state; undefined before the first state. */
  get position(): Position | undefined {
    return this.#epoch === undefined ? undefined : { epoch: this.#epoch, offset: this.#offset };
  }

  /** Whether an unfinished batch, sync or set of compacted changes would be lost with the connection. */
  get between(): boolean {
    return this.#waiting || this.#compacting || this.#pending.length > 0 || this.#parts !== undefined;
  }

  /** Notes that a join was sent. No frame counts before its answer. */
  joinSent(): void {
    this.cut();
    this.#waiting = true;
  }

  /** Notes that the connection is lost, and drops everything incomplete. */
  cut(): void {
    this.#pending = [];
    this.#compacting = false;
    this.#parts = undefined;
    this.#named = false;
    this.#gaps = [];
  }

  /** Forgets the whole state, so that the next join has no position. */
  forget(): void {
    this.cut();
    this.#items.clear();
    this.#epoch = undefined;
    this.#offset = 0;
  }

  syncing(): void {
    this.#named = true;
    this.#gaps = [];
  }

  sync(frame: SyncFrame): void {
    // The frame is for other subscriptions of this socket.
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
    // The order is that of the frame, so that a wrong order is noticed.
    const received = items.map(
      ({ id, value, created }, index): ShownItem => [id ?? `?${index}`, value ?? '', this.#loose ? 0 : (created ?? 0)],
    );
    this.#record({
      p,
      type: 'ok',
      f: 'snapshot',
      g,
      e: this.#epoch,
      s: this.#offset,
      ...describeState(received),
      ...(this.#loose ? { loose: true } : {}),
      ...(item === undefined ? {} : { item }),
      ...(frame.ts === undefined ? {} : { ts: frame.ts }),
      ...(this.#reason === undefined ? {} : { reset: this.#reason }),
    });
    for (const { after, through } of this.#gaps.splice(0)) this.#recordGap(after, through);
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
    if (this.#named) this.#gaps.push({ after, through });
    else this.#recordGap(after, through);
  }

  #recordGap(after: number, through: number): void {
    this.#record({ p: this.options.p, type: 'ok', f: 'gap', g: this.options.group, after, through });
  }

  change(frame: ChangeFrame): void {
    const offset = frame.offset ?? 0;
    if (frame.created !== undefined) {
      // These changes answer another subscription of this socket. This one already has them.
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

  /** Records the current state in the history. */
  recordState(): void {
    if (this.#epoch !== undefined) this.recordStateAt({ epoch: this.#epoch, offset: this.#offset });
  }

  /** Records the current state as that of a position that the engine named for it. */
  recordStateAt({ epoch: e, offset: s }: Position): void {
    const { p, group: g, item } = this.options;
    const state = { ...describeState(this.items()), ...(this.#loose ? { loose: true } : {}) };
    this.#record({ p, type: 'ok', f: 'mirror', g, e, s, ...state, ...(item === undefined ? {} : { item }) });
  }

  /** Takes the position that an answer of plain HTTP names for the current state, and records the state. */
  moveTo(position: Position): void {
    this.recordStateAt(position);
    this.#epoch = position.epoch;
    this.#offset = position.offset;
  }

  held(item: string): string | undefined {
    return this.#items.get(item)?.value;
  }

  /** Returns the items in the order of the group. */
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
    // With a loose state only the order is known. Real offsets would not sort among its placeholders.
    const received = this.#loose && effect === 'update' ? (known ?? frame.created) : frame.created;
    const created = received ?? (effect === 'create' ? undefined : known) ?? frame.offset ?? 0;
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
