import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/** Returns the id of this boot of the kernel; empty on a system that has none. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** Returns the seconds since this boot of the machine. */
export function secondsSinceBoot(): number {
  return Math.round(uptime());
}
