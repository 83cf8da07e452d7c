import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Job } from './job.js';

/** A child process needs the built file. Tests run the sources, which lie beside it. */
const MAIN = fileURLToPath(new URL('./observe-main.js', import.meta.url)).replace('/src/store-damage/', '/dist/store-damage/');

/** Runs a process over a job, which it reads from a file. Returns its lines, one for each case, and how it ended. */
export function runObserver(file: string, job: Job): Promise<{ readonly lines: readonly string[]; readonly ending: string }> {
  writeFileSync(file, JSON.stringify(job));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, file], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors = (errors + chunk).slice(-2_000);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const lines = text.split('\n').slice(0, -1);
      resolve({ lines, ending: `${signal ?? `exit code ${code}`} ${errors}` });
    });
  });
}
