import type { CommandContext } from './command.js';

/** The signals with which an operator ends a command that runs on and on. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Resolves when the operator ends the command, for instance with Ctrl-C, when nobody reads its output any more, or when `ended` resolves.
 * Returns the value of `ended` then. After a signal, the command does not wait for the reader of its output.
 */
export async function untilInterrupted<T>(
  ended: Promise<T>,
  { outputClosed, unread }: Pick<CommandContext, 'outputClosed' | 'unread'>,
): Promise<T | undefined> {
  let interrupt: () => void = () => {};
  const interrupted = new Promise<undefined>((resolve) => {
    interrupt = () => resolve(undefined);
  });
  const end = () => {
    unread?.leave();
    interrupt();
  };
  for (const signal of SIGNALS) process.once(signal, end);
  outputClosed?.addEventListener('abort', interrupt, { once: true });
  if (outputClosed?.aborted === true) interrupt();
  try {
    return await Promise.race([ended, interrupted]);
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
    outputClosed?.removeEventListener('abort', interrupt);
  }
}
