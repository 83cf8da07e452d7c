import { spawn } from 'node:child_process';

/**
 * Runs a command and resolves with its stdout. Rejects with all output when it fails.
 *
 * @param {string} cwd @param {string} command @param {readonly string[]} args @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<string>}
 */
export function output(cwd, command, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const out = ['', ''];
    child.stdout.on('data', (text) => (out[0] += String(text)));
    child.stderr.on('data', (text) => (out[1] += String(text)));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(out[0] ?? '');
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${out.join('')}`));
    });
  });
}
