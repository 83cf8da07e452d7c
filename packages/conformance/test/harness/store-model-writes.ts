import type { Change, Commit, Write, WriteChange, WriteResult } from '@rivulet/engine/store';
import type { StoreModel } from './store-model.js';

interface Remembered {
  readonly until: number;
  readonly fingerprint: string;
  readonly answer: string;
}

export type WriteOutcome = WriteResult | { readonly kind: 'failed'; readonly code: string };

export interface ExpectedWrite {
  readonly outcome: WriteOutcome;
  readonly commits: readonly Commit[];
}

/** Executes a `write` in the model of a store: each change in turn. Undoes all of them when one fails. */
export class ModelWrites {
  readonly #model: StoreModel;
  readonly #keys = new Map<string, Remembered>();

  constructor(model: StoreModel) {
    this.#model = model;
  }

  /** Executes the write. `first`: the offset that the store gave to the first effect, if there was one; the others follow it. */
  write(write: Write, epoch: string, first: number | undefined): ExpectedWrite {
    const { once } = write;
    const name = JSON.stringify([write.stream, write.group, once?.key]);
    const known = once && this.#keys.get(name);
    if (once !== undefined && known !== undefined && known.until > this.#model.steady) {
      if (known.fingerprint !== once.fingerprint) return nothing({ kind: 'failed', code: 'INVALID_ARGUMENTS' });
      return nothing({ kind: 'replayed', answer: known.answer });
    }
    const done = this.#attempt(write, epoch, first);
    if (once !== undefined && (done.outcome.kind === 'written' || done.outcome.kind === 'conflict')) {
      const answer = once.answer(done.outcome);
      this.#keys.set(name, { until: this.#model.steady + once.retentionMs, fingerprint: once.fingerprint, answer });
    }
    return done;
  }

  #attempt(write: Write, epoch: string, first: number | undefined): ExpectedWrite {
    const group = this.#model.group(write);
    const kept = { items: new Map(group.items), tombstones: new Map(group.tombstones), going: new Map(group.going) };
    const { offset, timestamp, mayJump } = group;
    const undo = () => Object.assign(group, kept, { offset, timestamp, mayJump });
    const results: Extract<WriteResult, { kind: 'written' }>['results'][number][] = [];
    const commits: Commit[] = [];
    // A write that fails takes no offset. Until it fails, it counts from the offset of the group.
    let next = first ?? offset + 1;
    for (const [index, change] of write.changes.entries()) {
      if (!this.#holds(write, change, epoch)) {
        undo();
        const item = this.#model.item(write, change.item ?? '');
        return nothing({ kind: 'conflict', index, value: item?.data, version: item && { epoch, offset: item.changed } });
      }
      const applied = this.#model.apply(placed(write, change), next);
      if (applied.kind === 'failed') {
        undo();
        return nothing(applied);
      }
      if (applied.kind === 'applied') {
        results.push({ kind: 'applied', old: applied.old, new: applied.new, position: { epoch, offset: next } });
        commits.push({ ...applied.commit, position: { epoch, offset: next++ } });
      } else {
        const item = this.#model.item(write, change.item ?? '');
        results.push({ kind: 'unchanged', old: applied.old, version: item && { epoch, offset: item.changed } });
      }
      this.#expire(write, change);
    }
    const through = write.batch ? next - 1 : undefined;
    return { outcome: { kind: 'written', results }, commits: commits.map((commit) => ({ ...commit, through })) };
  }

  #holds(write: Write, change: WriteChange, epoch: string): boolean {
    if (change.kind === 'event' || change.condition === undefined) return true;
    const item = this.#model.item(write, change.item);
    if (change.condition.kind === 'absent') return item === undefined;
    return item !== undefined && change.condition.version === `${epoch}:${item.changed}`;
  }

  #expire(write: Write, change: WriteChange): void {
    if (change.kind === 'event' || change.kind === 'delete' || change.expiry === undefined) return;
    const group = this.#model.group(write);
    if (!group.items.has(change.item)) return;
    const { expiry } = change;
    group.going.set(change.item, expiry.kind === 'ttl' ? { at: this.#model.steady + expiry.ms } : { graceMs: expiry.graceMs });
  }
}

function placed({ stream, group }: Write, change: WriteChange): Change {
  return { ...change, stream, group };
}

function nothing(outcome: WriteOutcome): ExpectedWrite {
  return { outcome, commits: [] };
}
