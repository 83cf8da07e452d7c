import { resolve } from 'node:path';
import { createLmdbStore, createMemoryStore } from '@rivulet/engine/stores';
import { maskOf } from './mask.mjs';

/**
 * @typedef {import('@rivulet/engine/store').StreamStore} StreamStore
 * @typedef {import('@rivulet/engine/store').WritableStore} WritableStore
 * @typedef {import('@rivulet/engine/store').StoreFactoryOptions} StoreFactoryOptions
 * @typedef {import('@rivulet/engine/store').StoredItem} StoredItem
 * @typedef {import('@rivulet/engine/store').ChangeEntry} ChangeEntry
 * @typedef {import('@rivulet/engine/store').GroupRef} GroupRef
 * @typedef {Exclude<import('@rivulet/engine/store').WriteResult, { kind: 'replayed' }>} OwnResult
 */

/** The result of a dropped event. */
const DROPPED = /** @type {const} */ ({ kind: 'unchanged', old: undefined, version: undefined });

/** @type {import('@rivulet/engine/store').StoreFactory} */
export function createStore(options) {
  const { path, mask = [], drop_events: dropped = [], ...others } = options.config;
  const [other] = Object.keys(others);
  // With a misspelt `mask`, the adapter would publish everything.
  if (other !== undefined) throw new Error(`unknown key "${other}"; known keys: path, mask, drop_events`);
  if (path !== undefined && typeof path !== 'string') throw new Error('path must be the directory of the store, or absent for memory');
  const names = texts('mask', mask);
  if (names.includes('id')) throw new Error('mask may not hold id: clients know an item by it');
  return new RedactingStore(innerStore(path, options), names, texts('drop_events', dropped));
}

/** @param {string | undefined} path @param {StoreFactoryOptions} options */
function innerStore(path, { clock, logger, tombstoneRetentionMs }) {
  if (path === undefined) return createMemoryStore({ clock, tombstoneRetentionMs });
  const kept = /** @type {const} */ ({ durability: 'commit', saveIntervalMs: 5_000 });
  return createLmdbStore({ path: resolve(path), ...kept, clock, logger, tombstoneRetentionMs });
}

/** @param {string} key @param {unknown} value @returns {string[]} */
function texts(key, value) {
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  throw new Error(`${key} must be a list of names`);
}

/**
 * Wraps a store of the engine. It masks everything that leaves the store: published values, reads, and results of writes. The stored
 * values, and the input of `stream::update`, stay whole. It drops events of certain types.
 * @implements {StreamStore}
 */
class RedactingStore {
  #store;
  #mask;
  #dropped;

  /** @param {WritableStore} store @param {readonly string[]} names @param {readonly string[]} dropped */
  constructor(store, names, dropped) {
    this.#store = store;
    this.#mask = maskOf(names);
    this.#dropped = new Set(dropped);
  }

  /** @param {import('@rivulet/engine/store').StoreEvents} events */
  start(events) {
    return this.#store.start({
      onCommit: (commit) => events.onCommit({ ...commit, data: this.#mask(commit.data), old: this.#mask(commit.old) }),
      onBreak: (ref, reason, position) => events.onBreak(ref, reason, position),
    });
  }

  /**
   * @param {import('@rivulet/engine/store').Change} change
   * @param {string} [origin]
   * @returns {Promise<import('@rivulet/engine/store').ApplyResult>}
   */
  async apply(change, origin) {
    // The event is dropped before it takes an offset. Later, its offset would be missing in the history.
    if (change.kind === 'event' && this.#dropped.has(change.type)) return { kind: 'unchanged', old: undefined };
    const result = await this.#store.apply(change, origin);
    const old = this.#mask(result.old);
    return result.kind === 'applied' ? { ...result, old, new: this.#mask(result.new) } : { ...result, old };
  }

  /**
   * @param {import('@rivulet/engine/store').Write} write
   * @param {string} [origin]
   * @returns {Promise<import('@rivulet/engine/store').WriteResult>}
   */
  async write(write, origin) {
    const { once } = write;
    const [first] = write.changes;
    if (first?.kind === 'event' && this.#dropped.has(first.type)) return { kind: 'written', results: [DROPPED] };
    // The store remembers the answer that the caller got, which is masked.
    const masked = once && { ...once, answer: (/** @type {OwnResult} */ result) => once.answer(this.#maskedResult(result)) };
    const result = await this.#store.write({ ...write, once: masked }, origin);
    return result.kind === 'replayed' ? result : this.#maskedResult(result);
  }

  /** @param {GroupRef} ref @param {string} item */
  async get(ref, item) {
    const { value, ...rest } = await this.#store.get(ref, item);
    return { ...rest, value: value && this.#masked(value) };
  }

  /** @param {GroupRef} ref */
  async snapshot(ref) {
    const snapshot = await this.#store.snapshot(ref);
    const { position, timestamp } = snapshot;
    const masked = (/** @type {StoredItem} */ item) => this.#masked(item);
    return { position, timestamp, chunks: () => mapped(snapshot.chunks(), masked), close: () => snapshot.close() };
  }

  /**
   * @param {GroupRef} ref
   * @param {import('@rivulet/protocol').Position} since
   * @returns {Promise<import('@rivulet/engine/store').Changes>}
   */
  async changes(ref, since) {
    const changes = await this.#store.changes(ref, since);
    if (changes.kind === 'stale') return changes;
    const { kind, position, timestamp } = changes;
    const masked = (/** @type {ChangeEntry} */ entry) => (entry.kind === 'item' ? this.#masked(entry) : entry);
    return { kind, position, timestamp, chunks: () => mapped(changes.chunks(), masked), close: () => changes.close() };
  }

  /** @param {string} stream */
  groups(stream) {
    return this.#store.groups(stream);
  }

  streams() {
    return this.#store.streams();
  }

  /** @param {GroupRef} ref */
  watch(ref) {
    return this.#store.watch(ref);
  }

  /** @param {GroupRef} ref */
  unwatch(ref) {
    this.#store.unwatch(ref);
  }

  close() {
    return this.#store.close();
  }

  /** @param {OwnResult} result @returns {OwnResult} */
  #maskedResult(result) {
    if (result.kind === 'conflict') return { ...result, value: this.#mask(result.value) };
    const results = result.results.map((each) => {
      const old = this.#mask(each.old);
      return each.kind === 'applied' ? { ...each, old, new: this.#mask(each.new) } : { ...each, old };
    });
    return { ...result, results };
  }

  /** @template {StoredItem} T @param {T} item @returns {T} */
  #masked(item) {
    return { ...item, data: this.#mask(item.data) };
  }
}

/** @template T @param {AsyncIterable<readonly T[]>} chunks @param {(each: T) => T} change */
async function* mapped(chunks, change) {
  for await (const chunk of chunks) yield chunk.map(change);
}
