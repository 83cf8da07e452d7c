import { readdirSync, readFileSync } from 'node:fs';

/** What a process holds, from /proc; nothing where there is none, or no such process. */
export function sampleProcess(pid: number): Readonly<Record<string, number>> {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const anonymous = Number(/^Anonymous:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0);
    return { anonymousBytes: anonymous * 1_024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return {};
  }
}
