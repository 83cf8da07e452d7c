/** The signals with which an operator ends a command that runs on and on. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Resolves when the operator ends the command, for instance with Ctrl-C, when nobody reads its output any more, or when `ended` resolves.
 * Returns the value of `ended` then.
 */
export async function untilInterrupted<T>(ended: Promise<T>, outputClosed: AbortSignal | undefined): Promise<T | undefined> {
  let interrupt: () => void = () => {};
  const interrupted = new Promise<undefined>((resolve) => {
    interrupt = () => resolve(undefined);
  });
  for (const signal of SIGNALS) process.once(signal, interrupt);
  outputClosed?.addEventListener('abort', interrupt, { once: true });
  if (outputClosed?.aborted === true) interrupt();
  try {
    return await Promise.race([ended, interrupted]);
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
    outputClosed?.removeEventListener('abort', interrupt);
  }
}
