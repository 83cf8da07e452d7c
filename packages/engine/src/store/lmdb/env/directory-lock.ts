import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bootId } from '../../../structures/boot-id.js';
import { refuseEarlierLock } from './earlier-lock.js';
import { readSmallFile } from './file-pages.js';
import { BEAT_MS, type Claim, type LockPlace, type Probe, type TakeOptions, takeLock } from './lock-protocol.js';
import { headOf, type LockIdentity, type LockRecord, parseLock, stateLine } from './lock-record.js';
import { type HolderSocket, listen, probe } from './lock-socket.js';
import { openFailure } from './store-open-error.js';

const PREFIX = 'rivulet-store.lock-';
const SOCKET = '.sock';
const UNFINISHED = '.new';
const TOKEN_BYTES = 8;
/** Bytes of a record. A longer one is damaged. */
const LONGEST_RECORD = 4_096;
const LOCK_NAME = /^rivulet-store\.lock-([\da-f]{16})$/;
const PART_NAME = /^rivulet-store\.lock-([\da-f]{16})(\.sock|\.new)$/;

/** Types of file systems that only one kernel at a time can mount: ext, xfs, btrfs, tmpfs, overlay, zfs, f2fs and bcachefs. */
const LOCAL_FILE_SYSTEMS = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e]);

/** The error of an engine that has lost its directory to another process. It must write nothing any more. */
export class LockLostError extends Error {
  constructor(directory: string) {
    super(`${directory} has lost its lock: another process has taken it over, or its file was removed`);
    this.name = 'LockLostError';
  }
}

/**
 * The right of one process to write to a directory. Two writers would give the same offsets to different changes. It holds across PID
 * namespaces and containers of one kernel, by a socket that its process listens on, and across kernels by a heartbeat.
 */
export interface DirectoryLock {
  /** Returns whether this process still has the lock. One system call. */
  readonly isHeld: boolean;
  /** Throws LockLostError when this process has lost the lock. */
  requireHeld(): void;
  /** Removes the lock, if this process still has it. Idempotent. */
  release(): void;
}

/**
 * Takes the lock of a directory that exists. Rejects with StoreOpenError while another process, or this one, has it: within one second, or
 * after `waitMs`. Takes over the lock of a dead process at once, and of one on another kernel when it has shown no heartbeat for 10 s.
 */
export async function takeDirectoryLock(directory: string, options: Partial<TakeOptions> = {}): Promise<DirectoryLock> {
  try {
    refuseEarlierLock(directory);
    return await takeLock(new LockDirectory(directory), directory, { waitMs: 0, ...options });
  } catch (error) {
    throw openFailure(directory, error);
  }
}

/** Does the same for a directory that is only read. On a read-only file system no engine can run, and no lock can be made. */
export async function lockForReading(directory: string): Promise<Pick<DirectoryLock, 'release'>> {
  try {
    return await takeDirectoryLock(directory);
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof Error && 'code' in cause && cause.code === 'EROFS') return { release: () => {} };
    throw error;
  }
}

class LockDirectory implements LockPlace<LockFile> {
  readonly identity: LockIdentity;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.identity = { pid: process.pid, host: hostname(), boot: bootId(), fileSystem: fileSystemOf(path) };
  }

  monotonic(): number {
    return performance.now();
  }

  async pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds);
  }

  list(): Promise<readonly string[]> {
    const tokens = readdirSync(this.#path).map((name) => LOCK_NAME.exec(name)?.[1]);
    return Promise.resolve(tokens.filter((token) => token !== undefined));
  }

  read(token: string): Promise<LockRecord | 'unreadable' | undefined> {
    const text = contentOf(join(this.#path, PREFIX + token));
    return Promise.resolve(text === undefined ? undefined : (parseLock(text) ?? 'unreadable'));
  }

  connect(token: string): Promise<Probe> {
    return probe(this.#path, PREFIX + token + SOCKET);
  }

  remove(token: string): Promise<void> {
    removeFile(join(this.#path, PREFIX + token));
    removeFile(join(this.#path, PREFIX + token + SOCKET));
    return Promise.resolve();
  }

  claim(): Promise<LockFile | undefined> {
    return LockFile.create(this.#path, this.identity);
  }

  async removeLeftovers(own: string): Promise<void> {
    const locks = new Set([own, ...(await this.list())]);
    for (const name of readdirSync(this.#path)) {
      const [, token, part] = PART_NAME.exec(name) ?? [];
      if (token === undefined || locks.has(token)) continue;
      if (part === UNFINISHED || (await this.connect(token)) === 'dead') removeLitter(join(this.#path, name));
    }
  }
}

/** A lock file with its socket. The open file keeps its inode number from being used again, so the number identifies the file. */
class LockFile implements Claim, DirectoryLock {
  readonly token: string;
  readonly #directory: string;
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #headBytes: number;
  readonly #inode: bigint;
  readonly #socket: { readonly holder: HolderSocket; readonly inode: bigint } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #state: LockRecord['state'] = 'starting';
  #beats = 0;
  #isWriting = false;
  #isReleased = false;

  private constructor(parts: {
    readonly token: string;
    readonly directory: string;
    readonly handle: FileHandle;
    readonly headBytes: number;
    readonly inode: bigint;
    readonly socket: { readonly holder: HolderSocket; readonly inode: bigint } | undefined;
  }) {
    this.token = parts.token;
    this.#directory = parts.directory;
    this.#file = join(parts.directory, PREFIX + parts.token);
    this.#handle = parts.handle;
    this.#headBytes = parts.headBytes;
    this.#inode = parts.inode;
    this.#socket = parts.socket;
  }

  static async create(directory: string, identity: LockIdentity): Promise<LockFile | undefined> {
    const token = randomBytes(TOKEN_BYTES).toString('hex');
    const file = join(directory, PREFIX + token);
    const holder = await listen(directory, PREFIX + token + SOCKET);
    const beats = holder === undefined || identity.fileSystem === 'shared';
    let handle: FileHandle | undefined;
    try {
      const socketInode = inodeOf(file + SOCKET);
      if (holder !== undefined && socketInode === undefined) throw new PartRemoved();
      handle = await open(file + UNFINISHED, 'wx', 0o600);
      const head = headOf({ ...identity, socket: holder !== undefined, beats });
      await handle.writeFile(head + stateLine({ state: 'starting', beat: 0 }));
      const { ino } = await handle.stat({ bigint: true });
      rename(file + UNFINISHED, file);
      const socket = holder === undefined || socketInode === undefined ? undefined : { holder, inode: socketInode };
      const lock = new LockFile({ token, directory, handle, headBytes: Buffer.byteLength(head), inode: ino, socket });
      if (beats) lock.#beat();
      return lock;
    } catch (error) {
      holder?.close();
      await handle?.close();
      for (const part of [UNFINISHED, SOCKET]) removeFile(file + part);
      if (error instanceof PartRemoved) return undefined;
      throw error;
    }
  }

  get isHeld(): boolean {
    return !this.#isReleased && inodeOf(this.#file) === this.#inode;
  }

  requireHeld(): void {
    if (!this.isHeld) throw new LockLostError(this.#directory);
  }

  isWhole(): boolean {
    return this.isHeld && (this.#socket === undefined || inodeOf(this.#file + SOCKET) === this.#socket.inode);
  }

  async hold(): Promise<void> {
    this.#state = 'holding';
    await this.#writeState();
  }

  async withdraw(): Promise<void> {
    await Promise.resolve();
    this.release();
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    clearInterval(this.#timer);
    // From here on, other processes see that this one has ended.
    this.#socket?.holder.close();
    // The token names this process only, so the files are its own.
    for (const file of [this.#file, this.#file + SOCKET]) removeFile(file);
    this.#handle.close().catch(() => {});
  }

  #beat(): void {
    this.#timer = setInterval(() => {
      this.#beats++;
      // A slow disk must not queue up heartbeats.
      if (!this.#isWriting) this.#writeState().catch(() => {});
    }, BEAT_MS).unref();
  }

  /** Never rejects: without the state, a process that starts at the same time waits longer. */
  async #writeState(): Promise<void> {
    this.#isWriting = true;
    try {
      await this.#handle.write(stateLine({ state: this.#state, beat: this.#beats }), this.#headBytes);
    } catch {
    } finally {
      this.#isWriting = false;
    }
  }
}

/** Another process has removed a part of a lock that was not complete yet. */
class PartRemoved extends Error {}

function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (isMissing(error)) throw new PartRemoved();
    throw error;
  }
}

function inodeOf(file: string): bigint | undefined {
  return lstatSync(file, { bigint: true, throwIfNoEntry: false })?.ino;
}

function removeFile(file: string): void {
  rmSync(file, { force: true });
}

/** A leftover that stays is harmless, for instance a directory that has such a name. */
function removeLitter(file: string): void {
  try {
    removeFile(file);
  } catch {}
}

function contentOf(file: string): string | undefined {
  try {
    return readSmallFile(file, LONGEST_RECORD);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function fileSystemOf(path: string): LockIdentity['fileSystem'] {
  return process.platform === 'linux' && LOCAL_FILE_SYSTEMS.has(statfsSync(path).type) ? 'local' : 'shared';
}
