/**
 * Runs a program under strace, which answers some of its system calls in place of the kernel. The program keeps its pid, and its calls
 * that are not named run at full speed.
 */
export function underStrace(calls: string, inject: string): readonly string[] {
  return ['strace', '-D', '-f', '-qq', '--seccomp-bpf', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:${inject}`];
}

/** strace counts calls by thread: with one that touches files there is one count. */
export const ONE_FILE_THREAD = { UV_THREADPOOL_SIZE: '1' } as const;
