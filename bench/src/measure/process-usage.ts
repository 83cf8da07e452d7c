import { readFileSync } from 'node:fs';

/** Returns the processor time of a process since its start, in milliseconds. The kernel counts in ticks of 10 ms. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

const TICK_MS = 10;

export function cpuTime(pid: number): CpuTime {
  // The name in the second field may contain spaces and brackets, so count the fields from its end.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return { user: Number(fields[11]) * TICK_MS, system: Number(fields[12]) * TICK_MS };
}

export function cpuSince(pid: number, before: CpuTime): CpuTime {
  const now = cpuTime(pid);
  return { user: now.user - before.user, system: now.system - before.system };
}

/** Returns the anonymous memory of a process in bytes: heap and buffers, without mapped files such as an LMDB store. */
export function anonymousMemory(pid: number): number {
  const line = /^Anonymous: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
  if (line === undefined) throw new Error(`/proc/${pid}/smaps_rollup has no line "Anonymous"`);
  return Number(line) * 1_024;
}
