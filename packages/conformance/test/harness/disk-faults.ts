import { readFileSync } from 'node:fs';

/**
 * Runs a program under strace, which answers some of its system calls in place of the kernel. The program keeps its pid, and its calls
 * that are not named run at full speed.
 */
export function underStrace(calls: string, inject: string): readonly string[] {
  return [...STRACE, '--seccomp-bpf', ...faults(calls, inject)];
}

/** The same at the price of its speed, until `endFaults`. */
export function underPassingStrace(calls: string, inject: string): readonly string[] {
  return [...STRACE, ...faults(calls, inject)];
}

/** What was delayed goes on at once, and nothing is delayed or fails any more. For a program under `underPassingStrace`. */
export function endFaults(pid: number): void {
  const tracer = Number(/^TracerPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  if (tracer === 0) throw new Error(`process ${pid} is not under strace`);
  process.kill(tracer, 'SIGKILL');
}

const STRACE = ['strace', '-D', '-f', '-qq', '-o', '/dev/null'] as const;

function faults(calls: string, inject: string): readonly string[] {
  return ['-e', `trace=${calls}`, '-e', `inject=${calls}:${inject}`];
}

/** strace counts calls by thread: with one that touches files there is one count. */
export const ONE_FILE_THREAD = { UV_THREADPOOL_SIZE: '1' } as const;
