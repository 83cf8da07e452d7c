import { readFileSync } from 'node:fs';

/**
 * Runs a program under strace, which delays or fails some of its system calls. The program keeps its pid, and its other calls run at full
 * speed.
 */
export function underStrace(calls: string, inject: string): readonly string[] {
  return [...STRACE, '--seccomp-bpf', ...faults(calls, inject)];
}

/** Does the same with faults that `endFaults` can end. The program runs slower. */
export function underPassingStrace(calls: string, inject: string): readonly string[] {
  return [...STRACE, ...faults(calls, inject)];
}

/** Ends all delays and faults of a program under `underPassingStrace`. */
export function endFaults(pid: number): void {
  const tracer = Number(/^TracerPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  if (tracer === 0) throw new Error(`process ${pid} is not under strace`);
  process.kill(tracer, 'SIGKILL');
}

const STRACE = ['strace', '-D', '-f', '-qq', '-o', '/dev/null'] as const;

function faults(calls: string, inject: string): readonly string[] {
  return ['-e', `trace=${calls}`, '-e', `inject=${calls}:${inject}`];
}

/** strace counts calls for each thread. With a single thread for files there is one count. */
export const ONE_FILE_THREAD = { UV_THREADPOOL_SIZE: '1' } as const;
