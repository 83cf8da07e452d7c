import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { StoreOpenError } from './store-open-error.js';

const LOCK = 'rivulet-store.lock';
const ATTEMPTS = 5;

/**
 * Keeps a second engine off a directory: each holds numbers in memory that the other would hand out again. The lock is a file that names
 * the process; one that a killed process left is taken over. It is held to one machine: engines in containers that share a volume, or on
 * hosts that share a disk, don't see each other's processes.
 */
export class DirectoryLock {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
  }

  /** Throws StoreOpenError while another process, or this one, holds the directory. */
  static take(directory: string): DirectoryLock {
    const file = join(directory, LOCK);
    const own = `${file}.${process.pid}`;
    try {
      // On a full disk the lock that a killed engine left makes the room for the new one.
      const left = contentOf(file);
      refuseWhileHeld(directory, left);
      if (left !== undefined) takeAway(file, left);
      writeFileSync(own, `${process.pid} ${startOf(process.pid) ?? ''} ${bootId() ?? ''} ${hostname()}\n`, { mode: 0o600 });
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (linked(own, file)) return new DirectoryLock(file);
        const holder = contentOf(file);
        refuseWhileHeld(directory, holder);
        if (holder !== undefined) takeAway(file, holder);
      }
      throw new StoreOpenError(`${file} changes hands all the time; start one engine at a time`);
    } finally {
      rmSync(own, { force: true });
    }
  }

  release(): void {
    rmSync(this.#file, { force: true });
  }
}

function refuseWhileHeld(directory: string, holder: string | undefined): void {
  if (holder === undefined || !isAlive(holder)) return;
  const [pid, , , host = hostname()] = holder.split(' ');
  throw new StoreOpenError(
    `${directory} is in use by process ${pid} on ${host}; stop that engine, or give this one a directory of its own`,
  );
}

/** A link is made with its content or not at all. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removes a stale lock; one that somebody took meanwhile is put back. */
function takeAway(file: string, stale: string): void {
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (contentOf(aside) !== stale) linked(aside, file);
  rmSync(aside, { force: true });
}

function isAlive(holder: string): boolean {
  const [pid = '', start = '', boot = ''] = holder.split(' ');
  // Ticks count from the start of the machine: after another one, the same number at the same tick is somebody else.
  if (boot !== '' && boot !== bootId()) return false;
  const now = startOf(Number(pid));
  // Elsewhere than on Linux nothing tells the start of a process: then its number alone has to do.
  if (now !== undefined) return start === '' || now === start;
  if (process.platform === 'linux') return false;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Names this run of the machine; known on Linux only. */
function bootId(): string | undefined {
  return contentOf('/proc/sys/kernel/random/boot_id');
}

/** When a process began, in ticks since the machine did; it tells a process from a later one of the same number. A zombie has ended. */
function startOf(pid: number): string | undefined {
  const stat = contentOf(`/proc/${pid}/stat`);
  // The name in the second field may hold spaces and brackets: fields are counted from its end.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}
