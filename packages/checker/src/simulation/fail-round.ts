/** Ends the process, because the simulation itself is broken and no result of this round counts. */
export function failRound(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
