import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import type { Config } from '../config/config.js';
import { ENGINE_VERSION } from '../config/engine-version.js';
import { connectControl, receiveAnswer } from '../control/control-client.js';
import type { Conversation, Line } from '../control/conversation.js';
import { hashFile } from '../store/lmdb/copying/copy-data-file.js';
import { copyStore, type LockedMoment, lockMoment, type Moment } from '../store/lmdb/copying/store-copy.js';
import { syncFile } from '../store/lmdb/env/file-pages.js';
import { DATA_FILE } from '../store/lmdb/env/store-marker.js';
import { requireDirectories, type StoreDirectory } from './carried-stores.js';
import { countStore, type StoreCounts } from './count-store.js';
import { takeEmptyDirectory } from './filled-directories.js';
import { type BackedUpStore, type Manifest, writeManifest } from './manifest.js';

/** The engine answers within this time. It waits up to 5 s for its transactions. */
const ANSWER_MS = 15_000;
/** Between two signs of life to the engine. */
const ALIVE_MS = 1_000;

/** Receives the step of a tool, for the line of progress. */
export type OnStep = (step: string, doneBytes: number, allBytes: number) => void;

export interface BackupReport extends Manifest {
  readonly directory: string;
  /** The engine ran meanwhile. */
  readonly online: boolean;
}

/** One moment of all stores, from a running engine or from locked directories. */
interface Moments {
  readonly online: boolean;
  readonly moments: ReadonlyMap<StoreDirectory, Moment>;
  /** Called after each chunk. */
  keepAlive(): Promise<void>;
  /** Resolves when the copies are of this moment. */
  finish(): Promise<void>;
  release(): void;
}

/**
 * Writes a backup of all stores in directories: streams and state of one moment. It is checked by reading all of it back. Nothing stays in
 * the destination when it fails.
 */
export async function backUp(config: Config, destination: string, onStep: OnStep): Promise<BackupReport> {
  const directories = requireDirectories(config);
  const target = takeEmptyDirectory(destination);
  yieldToEngine();
  try {
    const { online, copies, takenAt } = await copyStores(directories, target.path, onStep);
    const stores: BackedUpStore[] = [];
    for (const copy of copies) stores.push(await verify(copy, target.path, onStep));
    const manifest = { engine: ENGINE_VERSION, takenAt, stores };
    await writeManifest(target.path, manifest);
    syncFile(target.path);
    return { ...manifest, directory: target.path, online };
  } catch (error) {
    target.undo();
    throw error;
  }
}

type Copied = Omit<BackedUpStore, keyof StoreCounts>;

/**
 * Lowers the priority of this process to the lowest one, so that the engine and its workers come first when the processors are busy. On
 * Linux, each thread has a priority of its own, and those that read and write files run already.
 */
function yieldToEngine(): void {
  for (const thread of threads()) {
    try {
      setPriority(thread, constants.priority.PRIORITY_LOW);
    } catch {
      // Some containers forbid it, and a thread may end. The backup then takes its share.
    }
  }
}

/** Returns the ids of all threads of this process. `0` is the process itself. */
function threads(): readonly number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [0];
  }
}

/** Copies the data files of all stores, each into a folder with its name. The copies are of one moment, and nothing has read them yet. */
export async function copyStores(
  directories: readonly StoreDirectory[],
  target: string,
  onStep: OnStep,
): Promise<{ readonly online: boolean; readonly copies: readonly Copied[]; readonly takenAt: string }> {
  const source = await momentsOf(directories);
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- the time of now is always valid
    const takenAt = new Date().toISOString();
    const all = [...source.moments.values()].reduce((sum, { usedBytes }) => sum + usedBytes, 0);
    let done = 0;
    const copies: Copied[] = [];
    for (const [{ name, path }, moment] of source.moments) {
      const folder = join(target, name);
      mkdirSync(folder, { mode: 0o700 });
      const copied = await copyStore(path, moment, folder, (bytes) => {
        done += bytes;
        onStep(`copies ${name}`, done, all);
        return source.keepAlive();
      });
      copies.push({ name, storeId: moment.storeId, ...copied });
    }
    await source.finish();
    return { online: source.online, copies, takenAt };
  } finally {
    source.release();
  }
}

/** Reads a copy again: its bytes, and each of its records. */
async function verify(copy: Copied, target: string, onStep: OnStep): Promise<BackedUpStore> {
  const folder = join(target, copy.name);
  let done = 0;
  const { bytes, sha256 } = await hashFile(join(folder, DATA_FILE), (more) => {
    done += more;
    onStep(`reads ${copy.name} back`, done, copy.bytes);
  });
  if (bytes !== copy.bytes || sha256 !== copy.sha256) {
    throw new RivuletError('BACKUP_DAMAGED', `${folder} is not what was written; check that disk, and use another one`);
  }
  return { ...copy, ...countStore(folder) };
}

async function momentsOf(directories: readonly StoreDirectory[]): Promise<Moments> {
  const [first] = directories;
  const conversation = first === undefined ? undefined : await connectControl(first.path);
  return conversation === undefined ? await lockAll(directories) : await askEngine(conversation, directories);
}

async function lockAll(directories: readonly StoreDirectory[]): Promise<Moments> {
  const moments = new Map<StoreDirectory, LockedMoment>();
  const release = () => {
    for (const moment of moments.values()) moment.release();
  };
  try {
    for (const directory of directories) {
      if (statSync(directory.path, { throwIfNoEntry: false }) === undefined) continue;
      const moment = await lockMoment(directory.path);
      if (moment !== undefined) moments.set(directory, moment);
    }
    if (moments.size === 0) {
      const paths = directories.map(({ path }) => path).join(' and ');
      throw new RivuletError(
        'NOT_FOUND',
        `no store is in ${paths}; run the command in the working directory of the engine, or name --config`,
      );
    }
  } catch (error) {
    release();
    throw error;
  }
  return { online: false, moments, release, keepAlive: async () => {}, finish: async () => {} };
}

async function askEngine(conversation: Conversation, directories: readonly StoreDirectory[]): Promise<Moments> {
  try {
    conversation.send({ op: 'backup' });
    const { captured } = await receiveAnswer(conversation, ANSWER_MS);
    const moments = new Map<StoreDirectory, Moment>();
    for (const line of Array.isArray(captured) ? (captured as readonly Line[]) : []) {
      const directory = directories.find(({ name }) => name === line.name);
      if (directory !== undefined) moments.set(directory, momentOf(line, directory));
    }
    if (moments.size !== directories.length) throw unlike('the engine has other stores than this configuration');
    let aliveAt = performance.now();
    return {
      online: true,
      moments,
      keepAlive: async () => {
        if (performance.now() - aliveAt < ALIVE_MS) return;
        conversation.send({ op: 'alive' });
        await receiveAnswer(conversation, ANSWER_MS);
        aliveAt = performance.now();
      },
      finish: async () => {
        conversation.send({ op: 'finish' });
        await receiveAnswer(conversation, ANSWER_MS);
      },
      release: () => conversation.cut(),
    };
  } catch (error) {
    conversation.cut();
    throw error;
  }
}

function momentOf({ storeId, metaPages, usedBytes, inode }: Line, { path }: StoreDirectory): Moment {
  if (typeof storeId !== 'string' || typeof metaPages !== 'string' || !Number.isSafeInteger(usedBytes) || !Number.isSafeInteger(inode)) {
    throw new RivuletError(
      'CONTROL_FAILED',
      'the engine answered with something else than a backup needs; use its own version of the command',
    );
  }
  if (statSync(join(path, DATA_FILE), { throwIfNoEntry: false })?.ino !== inode)
    throw unlike(`the engine writes to another file than ${path}`);
  return { storeId, metaPages: Buffer.from(metaPages, 'base64'), usedBytes: usedBytes as number };
}

function unlike(reason: string): RivuletError {
  return new RivuletError('INVALID_ARGUMENTS', `${reason}; give the command the configuration and the working directory of the engine`);
}
