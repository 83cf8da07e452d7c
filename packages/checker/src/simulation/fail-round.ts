/** Ends the process of the checker: the simulation itself is broken, so no finding of this round counts. */
export function failRound(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
