import type { Logger } from './logger.js';

/**
 * Owns a promise that nobody awaits. When it rejects, the engine logs `background_failed` with the name of the task, and then calls
 * `recover`, which brings the object of the task into a safe state. Otherwise a rejection would end the process.
 */
export function runInBackground(work: Promise<unknown>, logger: Logger, task: string, recover: () => void = () => {}): void {
  work.catch((error: unknown) => {
    logger.error('background_failed', { task, error });
    runSafely(recover, logger, `${task}: recover`);
  });
}

/**
 * Runs `step`. If it throws, the engine logs `background_failed` and continues. Callbacks of timers and loops use it, because nobody else
 * would catch their errors.
 */
export function runSafely(step: () => void, logger: Logger, task: string): void {
  try {
    step();
  } catch (error) {
    logger.error('background_failed', { task, error });
  }
}
