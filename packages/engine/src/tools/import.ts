import { RivuletError } from '@rivulet/protocol';
import type { Config } from '../config/config.js';
import { entryName } from '../config/entry-names.js';
import { LmdbLoader } from '../store/lmdb/copying/store-loader.js';
import type { DumpedGroup, DumpedStore, DumpSink } from '../store/shared/dump.js';
import type { OnStep } from './backup.js';
import { STORE_NAMES, type StoreName } from './carried-stores.js';
import { ExportReader } from './export-file.js';
import { openRedisLoader } from './redis-stores.js';
import { StagedStore } from './staged-store.js';

export interface ImportReport {
  readonly groups: number;
  readonly items: number;
  readonly stores: readonly StoreName[];
}

/** A store to import. */
export interface ImportedStore extends DumpedStore {
  readonly name: StoreName;
  groups(): AsyncIterable<DumpedGroup>;
}

export interface ImportOptions {
  /** Keeps the epoch of the export. @default false */
  readonly keepEpoch: boolean;
  readonly onStep: OnStep;
}

/**
 * Imports the file of an export into empty stores. Throws IMPORT_REFUSED for a damaged file, before anything is imported. A store in a
 * directory is also complete or absent after any later failure. A Redis then keeps a part of the import.
 */
export async function importFile(path: string, config: Config, options: ImportOptions): Promise<ImportReport> {
  // Unlike a directory, a Redis can't take an import in one step. So its file is read to the end first.
  if (STORE_NAMES.some((name) => config[name]?.adapter.kind === 'redis')) await requireWhole(path, options.onStep);
  const reader = new ExportReader(path);
  try {
    return await importStores(reader.stores(), config, options);
  } finally {
    await reader.close();
  }
}

/** Reads a file to its end. Throws IMPORT_REFUSED for the first fault. */
async function requireWhole(path: string, onStep: OnStep): Promise<void> {
  const reader = new ExportReader(path);
  let items = 0;
  try {
    for await (const store of reader.stores())
      for await (const group of store.groups())
        for await (const chunk of group.chunks()) {
          items += chunk.length;
          onStep(`checks ${store.name}: ${items} items`, 0, 0);
        }
  } finally {
    await reader.close();
  }
}

/** The place that a store is imported into. */
interface Target {
  readonly sink: DumpSink;
  /** Puts the store into its place. */
  settle(): void;
  /** Lets engines use the store. */
  release(): void;
  undo(): void;
}

/** Imports stores. A store in a directory takes its place only when all stores are complete. */
export async function importStores(
  stores: AsyncIterable<ImportedStore>,
  config: Config,
  { keepEpoch, onStep }: ImportOptions,
): Promise<ImportReport> {
  const targets: Target[] = [];
  const names: StoreName[] = [];
  let groups = 0;
  let items = 0;
  try {
    for await (const store of stores) {
      if (names.includes(store.name)) throw new RivuletError('IMPORT_REFUSED', `the ${store.name} store comes twice; correct the file`);
      const target = await targetOf(store.name, config);
      targets.push(target);
      names.push(store.name);
      const { sink } = target;
      try {
        for await (const group of store.groups()) {
          groups++;
          await sink.beginGroup(group);
          for await (const chunk of group.chunks()) {
            await sink.add(chunk);
            items += chunk.length;
            onStep(`imports ${store.name}: ${items} items`, 0, 0);
          }
          await sink.endGroup();
        }
        await sink.finish(store, keepEpoch ? store.epoch : undefined);
      } finally {
        await sink.close();
      }
    }
    for (const target of targets) target.settle();
    for (const target of targets) target.release();
  } catch (error) {
    for (const target of targets) target.undo();
    throw error;
  }
  return { groups, items, stores: names };
}

async function targetOf(name: StoreName, config: Config): Promise<Target> {
  const adapter = config[name]?.adapter;
  if (adapter?.kind === 'redis') return { sink: await openRedisLoader(adapter), settle: () => {}, release: () => {}, undo: () => {} };
  if (adapter?.kind === 'lmdb') {
    const staged = await StagedStore.create(adapter.path);
    try {
      const sink = await LmdbLoader.open(staged.folder);
      return { sink, settle: () => staged.settle(), release: () => staged.release(), undo: () => staged.undo() };
    } catch (error) {
      staged.undo();
      throw error;
    }
  }
  const reason =
    adapter === undefined
      ? `has no ${entryName(config, `rivulet-${name}`)}`
      : `keeps the ${name} store in memory or in an adapter of yours`;
  throw new RivuletError('INVALID_ARGUMENTS', `this configuration ${reason}; name another --config`);
}
