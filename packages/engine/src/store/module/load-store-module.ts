import { pathToFileURL } from 'node:url';
import { LIMITS } from '@rivulet/protocol';
import type { StoreFactory, StoreFactoryOptions, StreamStore } from '../store.js';
import { inTime, LoadedStore } from './loaded-store.js';

type Optional = 'write' | 'follow' | 'unfollow' | 'groupsPage' | 'streamsPage' | 'snapshotAfter';

/** The methods that a store must have. The compiler checks that the list is complete. */
const METHODS: Readonly<Record<Exclude<keyof StreamStore, Optional>, true>> = {
  start: true,
  apply: true,
  get: true,
  snapshot: true,
  changes: true,
  groups: true,
  streams: true,
  watch: true,
  unwatch: true,
  close: true,
};

/**
 * Loads a store from a file. It calls the export `createStore`, or else the default export, once with `options`. `path` is absolute. The
 * code runs in this process and is trusted. Rejects with an error that names the file and says what to do.
 *
 * @param startMs Milliseconds that each step may take. Default: `LIMITS.adapterStartMs`.
 */
export async function loadStoreModule(
  path: string,
  options: StoreFactoryOptions,
  startMs: number = LIMITS.adapterStartMs,
): Promise<StreamStore> {
  const exports: unknown = await inTime(path, 'import', startMs, () => import(pathToFileURL(path).href) as Promise<unknown>);
  const create = factoryOf(exports);
  if (create === undefined) throw new Error(`adapter ${path}: exports no function createStore; export it by that name, or as default`);
  const store: unknown = await inTime(path, 'createStore', startMs, () => create(options));
  const missing = Object.keys(METHODS).filter((method) => typeof member(store, method) !== 'function');
  if (missing.length === 0) return new LoadedStore(store as StreamStore, path, options.logger, startMs);
  throw new Error(
    `adapter ${path}: the store that createStore returned lacks ${missing.join(', ')}; it must have every method of StreamStore`,
  );
}

/** Returns the factory. Its type is not checked, but the store that it returns is. */
function factoryOf(exports: unknown): StoreFactory | undefined {
  const found = [member(exports, 'createStore'), member(exports, 'default')].find((each) => typeof each === 'function');
  return found as StoreFactory | undefined;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
