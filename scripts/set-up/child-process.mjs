import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/**
 * `timeoutMs` is the time after which the command is killed.
 * @default no limit
 * @typedef {{ cwd: string, env?: NodeJS.ProcessEnv, stdout?: 'stdout' | 'stderr', timeoutMs?: number }} RunOptions
 */

/**
 * Runs a command and resolves with its exit code. The output of the command goes to stderr unless `stdout` is set, because the stdout of
 * `npm start` belongs to the engine. Signals are passed on to the command, and this process ends after it.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<number>} rejects with `ENOENT` when there is no such command
 */
export function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', options.stdout === 'stdout' ? 'inherit' : 2, 'inherit'],
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' }),
    });
    /** @type {NodeJS.Signals | undefined} */
    let received;
    /** @param {NodeJS.Signals} signal */
    const forward = (signal) => {
      received = signal;
      child.kill(signal);
    };
    const stopForwarding = () => {
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
    };
    process.on('SIGINT', forward);
    process.on('SIGTERM', forward);
    child.once('error', (error) => {
      stopForwarding();
      reject(error);
    });
    child.once('close', (code, signal) => {
      stopForwarding();
      if (received !== undefined) process.exit(128 + constants.signals[received]);
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

/**
 * @param {unknown} error
 * @returns {boolean} whether `run` failed because there is no such command
 */
export function isCommandMissing(error) {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
