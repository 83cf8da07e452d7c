import type { Op, RecvOp } from './op.js';

/** One change of an item as the history knows it; `v` absent: it was deleted. */
export interface KnownChange {
  readonly s: number;
  readonly k: string;
  readonly v?: string;
  readonly op: Op;
}

/** The history of one group in one epoch, as far as anybody saw it. */
export interface GroupTruth {
  /** By offset. */
  readonly changes: Map<number, KnownChange>;
  /** Offsets of events, and the items that they concern. */
  readonly events: Map<number, string | undefined>;
  /** Whether commits were recorded: then nothing is unknown. */
  complete: boolean;
}

/** Collects what happened to each group from everything that names an offset. */
export class Truth {
  readonly #groups = new Map<string, GroupTruth>();
  /** Where each value was written. */
  readonly #places = new Map<string, { readonly e: string; readonly s: number }>();
  /** Items that were, or may have been, deleted at an offset that nobody knows. */
  readonly #vagueDeletes = new Set<string>();

  see(op: Op): void {
    if (op.f === 'commit' || (op.f === 'recv' && namesChange(op))) {
      this.#learn(op.g, op.e, op.s, op, op.op === 'event' ? 'event' : op.op === 'delete' ? 'delete' : 'write', op.k, op.v);
      if (op.f === 'commit') this.group(op.g, op.e).complete = true;
    } else if (op.f === 'set' || op.f === 'update' || op.f === 'delete' || op.f === 'send') {
      const kind = op.f === 'send' ? 'event' : op.f === 'delete' ? 'delete' : 'write';
      if (op.type === 'ok' && op.e !== undefined && op.s !== undefined) this.#learn(op.g, op.e, op.s, op, kind, op.k, op.v);
      // One whose place is not known may have been carried out anywhere.
      else if (kind === 'delete' && op.k !== undefined && op.unchanged !== true && (op.type === 'ok' || op.type === 'info'))
        this.#vagueDeletes.add(`${op.g}|${op.k}`);
    } else if (op.f === 'batch') {
      if (op.type === 'ok' || op.type === 'info')
        for (const { k, v } of op.writes) if (v === undefined) this.#vagueDeletes.add(`${op.g}|${k}`);
    } else if (op.f === 'final') {
      for (const [index, [k, v]] of (op.items ?? []).entries()) {
        const s = op.changed?.[index];
        if (s !== undefined) this.#learn(op.g, op.e, s, op, 'write', k, v);
      }
    }
  }

  group(g: string, e: string): GroupTruth {
    const key = `${g}|${e}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { changes: new Map(), events: new Map(), complete: false };
      this.#groups.set(key, group);
    }
    return group;
  }

  placeOf(v: string): { readonly e: string; readonly s: number } | undefined {
    return this.#places.get(v);
  }

  mayBeDeleted(g: string, k: string): boolean {
    return this.#vagueDeletes.has(`${g}|${k}`);
  }

  #learn(g: string, e: string, s: number, op: Op, kind: 'event' | 'delete' | 'write', k: string | undefined, v: string | undefined): void {
    const group = this.group(g, e);
    if (kind === 'event') {
      group.events.set(s, k);
      return;
    }
    if (k === undefined) return;
    if (v !== undefined && kind === 'write' && !this.#places.has(v)) this.#places.set(v, { e, s });
    // The first to tell counts: who tells something else breaks I2.
    if (!group.changes.has(s)) group.changes.set(s, { s, k, op, ...(kind === 'delete' || v === undefined ? {} : { v }) });
  }
}

/** Whether a change is told at its own offset: the answer `changes` about one item that is gone may only say by when it was. */
export function namesChange(op: RecvOp): boolean {
  return op.compacted !== true || op.item === undefined || op.op !== 'delete';
}
