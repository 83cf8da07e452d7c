import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { StoreOpenError } from './store-open-error.js';

const LOCK = 'rivulet-store.lock';
const ATTEMPTS = 5;

/**
 * Keeps a second engine away from a directory. Two engines would give the same offsets to different changes. The lock is a file that names
 * its process; the lock of a dead process is taken over. It works on one machine only: engines in containers that share a volume, or on
 * hosts that share a disk, do not see each other's processes.
 */
export class DirectoryLock {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
  }

  /** Takes the lock. Throws StoreOpenError while a process, also this one, has it. */
  static take(directory: string): DirectoryLock {
    const file = join(directory, LOCK);
    const own = `${file}.${process.pid}`;
    try {
      // On a full disk, the lock of a killed engine must go first, so that the new one has space.
      const left = contentOf(file);
      refuseWhileHeld(directory, left);
      if (left !== undefined) removeStale(file, left);
      writeFileSync(own, `${process.pid} ${startOf(process.pid) ?? ''} ${bootId() ?? ''} ${hostname()}\n`, { mode: 0o600 });
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (linked(own, file)) return new DirectoryLock(file);
        const holder = contentOf(file);
        refuseWhileHeld(directory, holder);
        if (holder !== undefined) removeStale(file, holder);
      }
      throw new StoreOpenError(`${file} is taken by other processes again and again; start one engine at a time`);
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

/** Creates the lock together with its content, in one step. Returns false when a lock exists. */
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

/** Removes a stale lock. Puts it back when another process has taken it meanwhile. */
function removeStale(file: string, stale: string): void {
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
  // Ticks count from the start of the machine. After a restart of it, the same pid and tick belong to another process.
  if (boot !== '' && boot !== bootId()) return false;
  const now = startOf(Number(pid));
  // Only Linux reports the start of a process; elsewhere the pid alone must do.
  if (now !== undefined) return start === '' || now === start;
  if (process.platform === 'linux') return false;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Returns the id of this boot of the machine; known on Linux only. */
function bootId(): string | undefined {
  return contentOf('/proc/sys/kernel/random/boot_id');
}

/**
 * Returns the start of a process in ticks since the boot. It distinguishes a process from a later one with the same pid. `undefined` when
 * the process has ended or is a zombie.
 */
function startOf(pid: number): string | undefined {
  const stat = contentOf(`/proc/${pid}/stat`);
  // The name in the second field may have spaces and brackets, so fields are counted from its end.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}
