import { join } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import type { Config } from '../config/config.js';
import { beginEpoch, copyStore, readMoment } from '../store/lmdb/copying/store-copy.js';
import type { OnStep } from './backup.js';
import { requireDirectories, type StoreDirectory } from './carried-stores.js';
import { countStore } from './count-store.js';
import { type BackedUpStore, type Manifest, readManifest, requireUnchanged } from './manifest.js';
import { StagedStore } from './staged-store.js';

export interface RestoreReport extends Manifest {
  readonly directories: readonly StoreDirectory[];
}

export interface RestoreOptions {
  /**
   * Keeps the epoch, so that clients may resume from their positions. Correct only when nothing was written after the backup.
   * @default false
   */
  readonly keepEpoch: boolean;
  readonly onStep: OnStep;
}

/** Fills empty directories of stores from a backup, and checks them. Nothing stays when it fails. */
export async function restore(source: string, config: Config, { keepEpoch, onStep }: RestoreOptions): Promise<RestoreReport> {
  const manifest = readManifest(source);
  const directories = requireDirectories(config);
  const pairs = manifest.stores.map((store) => {
    const directory = directories.find(({ name }) => name === store.name);
    if (directory !== undefined) return { store, directory };
    const message = `the backup has a ${store.name} store, and this configuration keeps none in a directory; name another --config`;
    throw new RivuletError('INVALID_ARGUMENTS', message);
  });
  const staged: StagedStore[] = [];
  try {
    for (const { directory } of pairs) staged.push(await StagedStore.create(directory.path));
    for (const [index, { store }] of pairs.entries()) {
      await fill((staged[index] as StagedStore).folder, join(source, store.name), store, keepEpoch, onStep);
    }
    for (const each of staged) each.settle();
    for (const each of staged) each.release();
  } catch (error) {
    for (const each of staged) each.undo();
    throw error;
  }
  return { ...manifest, directories: pairs.map(({ directory }) => directory) };
}

/** Copies a store of a backup into a folder, after a check of its sum. Writes nothing into the backup. */
export async function copyBackedUp(folder: string, from: string, store: BackedUpStore, onStep: OnStep): Promise<void> {
  let done = 0;
  const onChunk = (step: string) => (bytes: number) => {
    done += bytes;
    onStep(`${step} ${store.name}`, done, store.bytes);
  };
  await requireUnchanged(from, store, onChunk('checks'));
  done = 0;
  const moment = readMoment(from);
  if (moment === undefined) throw new RivuletError('BACKUP_DAMAGED', `${from} has no store; name another backup`);
  await copyStore(from, { ...moment, usedBytes: store.bytes }, folder, onChunk('copies'));
}

/** Copies a store into a folder, and checks the copy. */
async function fill(folder: string, from: string, store: BackedUpStore, keepEpoch: boolean, onStep: OnStep): Promise<void> {
  await copyBackedUp(folder, from, store, onStep);
  if (!keepEpoch) await beginEpoch(folder);
  const { groups, items } = countStore(folder);
  if (groups === store.groups && items === store.items) return;
  throw new RivuletError('BACKUP_DAMAGED', `${folder} has ${items} items of ${store.items}; check the disk, then restore again`);
}
