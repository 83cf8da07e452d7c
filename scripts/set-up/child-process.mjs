import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/**
 * `timeoutMs`: the command is killed then. Default: it may take as long as it wants.
 * @typedef {{ cwd: string, env?: NodeJS.ProcessEnv, stdout?: 'stdout' | 'stderr', timeoutMs?: number }} RunOptions
 */

/**
 * Runs a command to its end and answers its exit code. Its output goes to our stderr unless `stdout` says otherwise, because the stdout of
 * `npm start` belongs to the engine. A signal that reaches us meanwhile goes to the child; we follow it when the child has ended.
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
