import type { Change, Commit, StoredItem, Write, WriteChange, WriteResult } from '@rivulet/engine/store';
import type { Expected, ModelGroup, StoreModel } from './store-model.js';

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

  /** Executes one change. `offset`: the one that the store gave it. */
  change(change: Change, epoch: string, offset: number | undefined): { readonly expected: Expected; readonly commits: readonly Commit[] } {
    const group = this.#model.group(change);
    const { kept, undo } = keep(group);
    // A change that fails takes no offset. Until it fails, it takes the next one.
    const expected = this.#model.apply(change, offset ?? group.offset + 1);
    if (expected.kind !== 'applied') return { expected, commits: [] };
    const commits = [{ ...expected.commit, position: { epoch, offset: group.offset } }];
    const item = change.kind === 'set' || change.kind === 'update' ? change.item : undefined;
    const deletes = this.#evict(group, kept.items, item === undefined ? [] : [item], epoch);
    if (deletes !== 'full') return { expected, commits: inOneStep([...commits, ...deletes], deletes.length > 0) };
    undo();
    return { expected: { kind: 'failed', code: 'GROUP_FULL' }, commits: [] };
  }

  /** Deletes the oldest items of a group that a write has made too large. Returns `full` when the write must fail. */
  #evict(
    group: ModelGroup,
    before: ReadonlyMap<string, StoredItem>,
    touched: readonly string[],
    epoch: string,
  ): readonly Commit[] | 'full' {
    const bounds = this.#model.boundsOf(group.ref.stream);
    const { maxItems = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = bounds ?? {};
    const isOver = () => group.items.size > maxItems || bytesOf(group.items) > maxBytes;
    if (bounds === undefined || !isOver()) return [];
    if (bounds.onFull === 'refuse') {
      const hasGrown =
        (group.items.size > maxItems && group.items.size > before.size) ||
        (bytesOf(group.items) > maxBytes && bytesOf(group.items) > bytesOf(before));
      return hasGrown ? 'full' : [];
    }
    const written = new Map([...group.items].filter(([item]) => touched.includes(item)));
    if (written.size === 0) return [];
    if (written.size > maxItems || bytesOf(written) > maxBytes) return 'full';
    const { stream, group: name } = group.ref;
    const deletes: Commit[] = [];
    for (const item of group.items.keys()) {
      if (!isOver() || written.has(item)) continue;
      const deleted = this.#model.apply({ kind: 'delete', stream, group: name, item }, group.offset + 1);
      if (deleted.kind !== 'applied') throw new Error('the item is there');
      deletes.push({ ...deleted.commit, position: { epoch, offset: group.offset } });
    }
    return deletes;
  }

  #attempt(write: Write, epoch: string, first: number | undefined): ExpectedWrite {
    const group = this.#model.group(write);
    const { kept, undo } = keep(group);
    const { offset } = group;
    const touched: string[] = [];
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
        if (change.kind !== 'event') touched.push(change.item);
      } else {
        const item = this.#model.item(write, change.item ?? '');
        results.push({ kind: 'unchanged', old: applied.old, version: item && { epoch, offset: item.changed } });
      }
      this.#expire(write, change);
    }
    const deletes = this.#evict(group, kept.items, touched, epoch);
    if (deletes === 'full') {
      undo();
      return nothing({ kind: 'failed', code: 'GROUP_FULL' });
    }
    return {
      outcome: { kind: 'written', results },
      commits: inOneStep([...commits, ...deletes], write.batch || deletes.length > 0),
    };
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
    const { maxAgeMs = Number.POSITIVE_INFINITY } = this.#model.boundsOf(write.stream) ?? {};
    const going = expiry.kind === 'ttl' ? { at: this.#model.steady + Math.min(expiry.ms, maxAgeMs) } : { graceMs: expiry.graceMs };
    group.going.set(change.item, going);
  }
}

/** Returns the content of a group, and a function that restores it. */
function keep(group: ModelGroup): { readonly kept: Pick<ModelGroup, 'items'>; readonly undo: () => void } {
  const { offset, timestamp, mayJump } = group;
  const kept = { items: new Map(group.items), tombstones: new Map(group.tombstones), going: new Map(group.going) };
  return { kept, undo: () => Object.assign(group, kept, { offset, timestamp, mayJump }) };
}

function inOneStep(commits: readonly Commit[], isStep: boolean): readonly Commit[] {
  const through = isStep ? commits.at(-1)?.position.offset : undefined;
  return commits.map((commit) => ({ ...commit, through }));
}

function bytesOf(items: ReadonlyMap<string, StoredItem>): number {
  return [...items.values()].reduce((sum, { item, data }) => sum + Buffer.byteLength(item) + Buffer.byteLength(data), 0);
}

function placed({ stream, group }: Write, change: WriteChange): Change {
  return { ...change, stream, group };
}

function nothing(outcome: WriteOutcome): ExpectedWrite {
  return { outcome, commits: [] };
}
