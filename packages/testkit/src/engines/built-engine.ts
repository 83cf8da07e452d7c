import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Main file of the bundled command line. */
export const CLI = fileURLToPath(new URL('../../../engine/dist/bundle/rivulet.js', import.meta.url));
/** The same program as compiled modules. Code that is loaded before it can change its classes. */
export const CLI_MODULES = fileURLToPath(new URL('../../../engine/dist/cli/main.js', import.meta.url));
/** Number of characters of output that an error shows. */
const MOST_OUTPUT = 20_000;

/**
 * Resolves with the ready line of an engine process, without the word `ready`. Rejects when the process ends first, or after
 * `timeoutMs`. The error contains the output of the process and the text that `log` returns.
 */
export function whenReady(child: ChildProcess, timeoutMs: number, log: () => string): Promise<string> {
  let output = '';
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      clearTimeout(timer);
      reject(new Error(`the engine ${reason}: ${output}${log()}`));
    };
    const timer = setTimeout(() => fail(`is not ready after ${timeoutMs} ms`), timeoutMs);
    child.once('error', (error) => fail(`did not start (${error.message})`));
    // At `exit`, the last output may not have been read.
    child.once('close', (code, signal) => fail(`ended with ${code ?? signal} before it was ready`));
    child.stdout?.on('data', (data: Buffer) => {
      output = (output + data.toString()).slice(-MOST_OUTPUT);
      const line = /^ready (.*)$/m.exec(output)?.[1];
      if (line === undefined) return;
      clearTimeout(timer);
      resolve(line);
    });
  });
}

/** Returns whether a process runs. */
export function isRunning(child: ChildProcess | undefined): boolean {
  return child !== undefined && child.exitCode === null && child.signalCode === null;
}

/**
 * Sends a signal to a process and resolves with its exit code when it has ended. Resolves at once if it does not run. After SIGTERM all
 * output was read too, unless the test has paused it.
 */
export async function endProcess(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<number | null> {
  if (child === undefined || !isRunning(child)) return child?.exitCode ?? null;
  const isRead = signal === 'SIGTERM' && child.stderr?.isPaused() !== true;
  const ended = once(child, isRead ? 'close' : 'exit');
  child.kill(signal);
  await ended;
  return child.exitCode;
}
