import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type DiskFigures, newCommitFigures, type StoreFigures, type StoreState } from '../store-figures.js';
import type { LmdbEnvironment } from './env/environment.js';
import { DATA_FILE } from './env/store-marker.js';
import type { DiskBudget } from './writing/disk-space.js';
import type { LmdbWriter } from './writing/writer.js';

/** The parts of an open store that have figures. */
interface Measured {
  readonly environment: LmdbEnvironment;
  readonly disk: DiskBudget;
  readonly writer: LmdbWriter;
}

const NOTHING = newCommitFigures();

/** Returns the figures of a store. `run` is `undefined` before the start and after the close. */
export function measure(run: Measured | undefined, store: { path: string; isLost: boolean; endedReads: number }): StoreFigures {
  if (run === undefined) return { backend: 'lmdb', state: 'unavailable', queued: 0, commits: NOTHING };
  const disk = measureDisk(run, store);
  const { writer } = run;
  return { backend: 'lmdb', state: stateOf(run, store.isLost), queued: writer.waiting, commits: writer.figures, disk };
}

function stateOf({ writer, disk }: Measured, isLost: boolean): StoreState {
  if (isLost) return 'unavailable';
  if (writer.hasFailed) return 'failed';
  return disk.full ? 'full' : 'ok';
}

function measureDisk({ environment, disk }: Measured, { path, endedReads }: { path: string; endedReads: number }): DiskFigures {
  const dataBytes = statSync(join(path, DATA_FILE), { throwIfNoEntry: false })?.size ?? 0;
  return { dataBytes, reusableBytes: environment.reusableBytes(), ...disk.room, endedReads };
}
