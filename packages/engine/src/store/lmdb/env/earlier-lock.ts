import { readFileSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { StoreOpenError } from './store-open-error.js';

const EARLIER_LOCK = 'rivulet-store.lock';

/**
 * Throws StoreOpenError while an engine of an earlier version uses the directory. Such an engine names its process, its start in ticks, the
 * boot and the host in one file. Removes the file of a dead engine.
 */
export function refuseEarlierLock(directory: string): void {
  const file = join(directory, EARLIER_LOCK);
  const holder = contentOf(file);
  if (holder === undefined) return;
  const [pid = '', start = '', boot = '', host = hostname()] = holder.trim().split(' ');
  if (!isAlive(pid, start, boot)) {
    rmSync(file, { force: true });
    return;
  }
  throw new StoreOpenError(
    `${directory} is in use by process ${pid} on ${host}; stop that engine, or give this one a directory of its own`,
  );
}

function isAlive(pid: string, start: string, boot: string): boolean {
  // Ticks count from the boot. After another boot, the same pid and tick belong to another process.
  if (boot !== '' && boot !== contentOf('/proc/sys/kernel/random/boot_id')?.trim()) return false;
  const stat = contentOf(`/proc/${Number(pid)}/stat`);
  // The name in the second field may have spaces and brackets, so fields are counted from its end.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields !== undefined && fields[0] !== 'Z' && (start === '' || fields[19] === start);
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
