import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { effectOf, requireId, valueIdOf } from '@rivulet/engine/stores';
import { RivuletError } from '@rivulet/protocol';
import { claim } from './claim.mjs';
import { Reading } from './reading.mjs';
import { Tables } from './tables.mjs';

/**
 * @typedef {import('@rivulet/engine/store').StreamStore} StreamStore
 * @typedef {import('@rivulet/engine/store').StoreEvents} StoreEvents
 * @typedef {import('@rivulet/engine/store').StoreFactoryOptions} StoreFactoryOptions
 * @typedef {import('@rivulet/engine/store').Change} Change
 * @typedef {import('@rivulet/engine/store').Commit} Commit
 * @typedef {import('@rivulet/engine/store').ApplyResult} ApplyResult
 * @typedef {import('@rivulet/engine/store').GroupRef} GroupRef
 * @typedef {{ change: Change, resolve: (result: ApplyResult) => void, reject: (error: unknown) => void }} Waiting
 * @typedef {{ result: ApplyResult, commit: Commit | undefined }} Outcome
 */

/** Changes that share one transaction, and so one wait for the disk, during which the event loop does not turn. */
const BATCH_CHANGES = 512;
const QUEUED_CHANGES = 65_536;
/** Largest size of the database in bytes, without its write-ahead log. */
const MAX_BYTES = 68_719_476_736;
const LEAST_BYTES = 1_048_576;
const SWEEP_MS = 60_000;
const SWEPT_TOMBSTONES = 1_000;

/** @type {import('@rivulet/engine/store').StoreFactory} */
export function createStore(options) {
  const { file, max_bytes: maxBytes = MAX_BYTES, ...others } = options.config;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`unknown key "${other}"; known keys: file, max_bytes`);
  if (typeof file !== 'string' || file === '')
    throw new Error('set config.file to the path of the database, such as ./data/streams.sqlite');
  if (typeof maxBytes !== 'number' || !Number.isSafeInteger(maxBytes) || maxBytes < LEAST_BYTES)
    throw new Error(`max_bytes must be a whole number from ${LEAST_BYTES}`);
  return new SqlStore(resolve(file), maxBytes, options);
}

/** @implements {StreamStore} */
class SqlStore {
  #file;
  #maxBytes;
  #clock;
  #logger;
  #retentionMs;
  /** @type {StoreEvents | undefined} */
  #events;
  /** @type {Tables | undefined} */
  #tables;
  /** @type {(() => void) | undefined} */
  #release;
  /** @type {Waiting[]} */
  #queue = [];
  #scheduled = false;
  /** Open readings by group. @type {Map<string, Set<Reading<any>>>} */
  #readings = new Map();
  /** @type {NodeJS.Timeout | undefined} */
  #sweep;

  /** @param {string} file @param {number} maxBytes @param {StoreFactoryOptions} options */
  constructor(file, maxBytes, { clock, logger, tombstoneRetentionMs }) {
    this.#file = file;
    this.#maxBytes = maxBytes;
    this.#clock = clock;
    this.#logger = logger;
    this.#retentionMs = tombstoneRetentionMs;
  }

  /** @param {StoreEvents} events */
  async start(events) {
    mkdirSync(dirname(this.#file), { recursive: true });
    const release = claim(this.#file);
    try {
      this.#tables = new Tables(this.#file, this.#maxBytes, randomUUID());
    } catch (error) {
      release();
      throw error;
    }
    this.#release = release;
    this.#events = events;
    this.#sweep = setInterval(() => this.#forgetOld(), SWEEP_MS);
    this.#sweep.unref();
    this.#forgetOld();
  }

  /** @param {Change} change @returns {Promise<ApplyResult>} */
  async apply(change) {
    this.#opened();
    requireId(change.stream, 'stream_name');
    requireId(change.group, 'group_id');
    if (change.item !== undefined) requireId(change.item, 'item_id');
    if (this.#queue.length >= QUEUED_CHANGES)
      throw new RivuletError('OVERLOADED', 'too many writes wait for the database; try again later');
    return await new Promise((done, reject) => {
      this.#queue.push({ change, resolve: done, reject });
      this.#schedule();
    });
  }

  /** @param {GroupRef} ref @param {string} item */
  async get(ref, item) {
    return this.#reading((tables) => ({ value: tables.item(ref.stream, ref.group, item), ...this.#standOf(tables, ref) }));
  }

  /** @param {GroupRef} ref */
  async snapshot(ref) {
    return this.#reading((tables) => {
      const page = (/** @type {number} */ after, /** @type {number} */ limit) =>
        tables.all('byCreation', [ref.stream, ref.group, after, limit]);
      const reading = this.#open(ref, 0, page, ({ created }) => created);
      return { ...this.#standOf(tables, ref), chunks: () => reading.chunks(), close: () => reading.close() };
    });
  }

  /**
   * @param {GroupRef} ref
   * @param {import('@rivulet/protocol').Position} since
   * @returns {Promise<import('@rivulet/engine/store').Changes>}
   */
  async changes(ref, since) {
    return this.#reading((tables) => {
      if (since.epoch !== tables.epoch) return { kind: 'stale', reason: 'epoch' };
      if (since.offset < (tables.head(ref.stream, ref.group)?.floor ?? 0)) return { kind: 'stale', reason: 'floor' };
      const page = (/** @type {number} */ after, /** @type {number} */ limit) =>
        tables.all('byChange', [ref.stream, ref.group, after, limit]).map(entryOf);
      const reading = this.#open(ref, since.offset, page, ({ changed }) => changed);
      return { kind: 'changes', ...this.#standOf(tables, ref), chunks: () => reading.chunks(), close: () => reading.close() };
    });
  }

  /** @param {string} stream @returns {Promise<string[]>} */
  async groups(stream) {
    return this.#reading((tables) => namesOf(tables.all('groups', [stream])));
  }

  /** @returns {Promise<string[]>} */
  async streams() {
    return this.#reading((tables) => namesOf(tables.all('streams', [])));
  }

  /** No other process writes to the database, so every commit is a local one. */
  async watch() {}

  unwatch() {}

  async close() {
    clearInterval(this.#sweep);
    while (this.#queue.length > 0 && this.#tables !== undefined) this.#writeBatch(this.#tables);
    const tables = this.#tables;
    this.#tables = undefined;
    tables?.close();
    this.#release?.();
    this.#release = undefined;
  }

  #opened() {
    if (this.#tables === undefined) throw new RivuletError('STORE_UNAVAILABLE', 'the store is not open');
    return this.#tables;
  }

  /** @template T @param {(tables: Tables) => T} read @returns {T} */
  #reading(read) {
    const tables = this.#opened();
    try {
      return read(tables);
    } catch (error) {
      throw codedError(error);
    }
  }

  /** @param {Tables} tables @param {GroupRef} ref */
  #standOf(tables, ref) {
    const head = tables.head(ref.stream, ref.group);
    const position = { epoch: tables.epoch, offset: head?.position ?? 0 };
    return { position, timestamp: head?.timestamp ?? this.#clock.now() - 1 };
  }

  /**
   * @template T
   * @param {GroupRef} ref @param {number} after @param {(after: number, limit: number) => T[]} page @param {(row: T) => number} key
   * @returns {Reading<T>}
   */
  #open(ref, after, page, key) {
    const name = nameOf(ref);
    const all = this.#readings.get(name) ?? new Set();
    const guarded = (/** @type {number} */ from, /** @type {number} */ limit) => this.#reading(() => page(from, limit));
    const reading = new Reading(after, guarded, key, (ended) => {
      all.delete(ended);
      if (all.size === 0 && this.#readings.get(name) === all) this.#readings.delete(name);
    });
    this.#readings.set(name, all.add(reading));
    return reading;
  }

  /** Changes of one turn of the event loop share a transaction. */
  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#tables === undefined) return;
      this.#writeBatch(this.#tables);
      if (this.#queue.length > 0) this.#schedule();
    });
  }

  /** @param {Tables} tables */
  #writeBatch(tables) {
    const batch = this.#queue.splice(0, BATCH_CHANGES);
    if (this.#commit(tables, batch) === undefined) return;
    // A failed change must not fail the others. A transaction for each change shows which one fails.
    for (const waiting of batch) {
      const failure = this.#commit(tables, [waiting]);
      if (failure !== undefined) waiting.reject(codedError(failure.error));
    }
  }

  /**
   * Writes a batch, then reports its commits and resolves its promises. Returns the error when nothing was written.
   *
   * @param {Tables} tables @param {Waiting[]} batch @returns {{ error: unknown } | undefined}
   */
  #commit(tables, batch) {
    /** @type {Outcome[]} */
    let outcomes;
    try {
      for (const { change } of batch) for (const reading of this.#readings.get(nameOf(change)) ?? []) reading.hold();
      outcomes = tables.transaction(() => batch.map(({ change }) => this.#effect(tables, change)));
    } catch (error) {
      return { error };
    }
    for (const [n, { result, commit }] of outcomes.entries()) {
      if (commit !== undefined) this.#events?.onCommit(commit);
      batch[n]?.resolve(result);
    }
    return undefined;
  }

  /** @param {Tables} tables @param {Change} change @returns {Outcome} */
  #effect(tables, change) {
    const { stream, group, item } = change;
    const stores = change.kind !== 'event' && change.kind !== 'external';
    const before = stores ? tables.item(stream, group, change.item) : undefined;
    const effect = computed(change, before?.data);
    if (effect.kind === 'none') return { result: { kind: 'unchanged', old: before?.data }, commit: undefined };
    const head = tables.head(stream, group) ?? { position: 0, timestamp: 0, floor: 0, live: 0 };
    const offset = head.position + 1;
    const now = this.#clock.now();
    const timestamp = Math.max(now, head.timestamp + 1);
    let { live } = head;
    let created = before?.created ?? 0;
    if (effect.kind === 'write' && item !== undefined) {
      created = before?.created ?? offset;
      if (before === undefined) live++;
      tables.run('putItem', [stream, group, item, effect.data, null, created, offset, null]);
    } else if (effect.kind === 'remove' && item !== undefined) {
      live--;
      tables.run('putItem', [stream, group, item, null, valueIdOf(effect.data) ?? null, created, offset, now]);
    }
    tables.run('putHead', [stream, group, offset, timestamp, head.floor, live]);
    const position = { epoch: tables.epoch, offset };
    const old = before?.data;
    return {
      result: { kind: 'applied', old, new: effect.kind === 'write' ? effect.data : undefined, position },
      commit: {
        stream,
        group,
        item,
        effect: effect.kind === 'remove' ? 'delete' : effect.effect,
        position,
        timestamp,
        created,
        data: effect.data,
        old,
        eventType: change.kind === 'event' ? change.type : undefined,
      },
    };
  }

  /** Removes tombstones older than the retention and raises the floors of their groups. Heads stay: one small row for each group. */
  #forgetOld() {
    const tables = this.#tables;
    if (tables === undefined) return;
    try {
      const old = tables.all('oldTombstones', [this.#clock.now() - this.#retentionMs, SWEPT_TOMBSTONES]);
      if (old.length === 0) return;
      for (const row of old) for (const reading of this.#readings.get(nameOf({ stream: row.stream, group: row.grp })) ?? []) reading.hold();
      tables.transaction(() => {
        for (const { stream, grp, item, changed } of old) {
          tables.run('forget', [stream, grp, item]);
          tables.run('raiseFloor', [changed, stream, grp]);
        }
      });
      if (old.length === SWEPT_TOMBSTONES) setImmediate(() => this.#forgetOld());
    } catch (error) {
      this.#logger.warn('sql_sweep_failed', { reason: String(error) });
    }
  }
}

/** Marks an error of `compute`. It concerns the caller, unlike an error of the database. */
class ComputeError extends Error {}

/** @param {Change} change @param {string | undefined} old */
function computed(change, old) {
  try {
    return effectOf(change, old);
  } catch (cause) {
    throw new ComputeError('compute', { cause });
  }
}

/** @param {unknown} error @returns {unknown} */
function codedError(error) {
  if (error instanceof ComputeError) return error.cause;
  if (error instanceof RivuletError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const code = reason.includes('is full') ? 'STORE_FULL' : 'STORE_UNAVAILABLE';
  return new RivuletError(code, `the database answered: ${reason}`, { cause: error });
}

/** @param {import('./tables.mjs').Row} row @returns {import('@rivulet/engine/store').ChangeEntry} */
function entryOf({ item, data, value_id: valueId, created, changed }) {
  if (data !== null) return { kind: 'item', item, data, created, changed };
  return { kind: 'tombstone', item, changed, created, valueId: valueId ?? undefined };
}

/** Sorts by UTF-16 code units, unlike SQLite, which compares bytes. @param {{ name: string }[]} rows @returns {string[]} */
function namesOf(rows) {
  return rows.map(({ name }) => name).sort();
}

/** @param {GroupRef} ref */
function nameOf({ stream, group }) {
  return JSON.stringify([stream, group]);
}
