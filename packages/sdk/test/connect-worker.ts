import { onTestFinished } from 'vitest';
import { type InitOptions, type ISdk, registerWorker } from '../src/index.js';

/** Makes a worker. It is closed when the test ends. */
export function connectWorker(url: string, options: InitOptions = {}): ISdk {
  const worker = registerWorker(url, { onWarning: () => {}, ...options });
  onTestFinished(() => worker.close());
  return worker;
}

/**
 * Resolves when the engine has handled everything that the worker has sent. The first round may wait in the queue, before the announcement.
 */
export async function settled(worker: ISdk): Promise<void> {
  for (let round = 0; round < 2; round++) await worker.trigger({ function_id: 'engine::health::check', payload: {} });
}
