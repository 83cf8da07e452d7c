import type { Op, RecvOp } from './op.js';

/** One known change of an item. A delete has no `v`. */
export interface KnownChange {
  readonly s: number;
  readonly k: string;
  readonly v?: string;
  readonly op: Op;
}

/** Everything that the history knows about one group in one epoch. */
export interface GroupTruth {
  /** Changes by offset. */
  readonly changes: Map<number, KnownChange>;
  /** Events by offset, each with the item that it concerns. */
  readonly events: Map<number, string | undefined>;
  /** Whether commits were recorded, so that no change is unknown. */
  complete: boolean;
}

/** Collects the history of each group from all operations that name an offset. */
export class Truth {
  readonly #groups = new Map<string, GroupTruth>();
  /** Place of each written value. */
  readonly #places = new Map<string, { readonly e: string; readonly s: number }>();
  /** Items that may have been deleted at an unknown offset. */
  readonly #vagueDeletes = new Set<string>();

  see(op: Op): void {
    if (op.f === 'commit' || (op.f === 'recv' && namesChange(op))) {
      this.#learn(op.g, op.e, op.s, op, op.op === 'event' ? 'event' : op.op === 'delete' ? 'delete' : 'write', op.k, op.v);
      if (op.f === 'commit') this.group(op.g, op.e).complete = true;
    } else if (op.f === 'set' || op.f === 'update' || op.f === 'delete' || op.f === 'send') {
      const kind = op.f === 'send' ? 'event' : op.f === 'delete' ? 'delete' : 'write';
      if (op.type === 'ok' && op.e !== undefined && op.s !== undefined) this.#learn(op.g, op.e, op.s, op, kind, op.k, op.v);
      // A delete without a known offset may have been applied at any offset.
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
    // The first record of an offset counts. A different later record breaks I2.
    if (!group.changes.has(s)) group.changes.set(s, { s, k, op, ...(kind === 'delete' || v === undefined ? {} : { v }) });
  }
}

/**
 * Returns whether a change is recorded at its own offset. The answer `changes` about one deleted item may name only an offset by which the
 * item was deleted.
 */
export function namesChange(op: RecvOp): boolean {
  return op.compacted !== true || op.item === undefined || op.op !== 'delete';
}
