import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { OpenJob, OpenReport } from './images.js';

const PROGRAM = fileURLToPath(new URL('../../dist/power-cuts/open-main.js', import.meta.url));

/** How the process that opened an image ended instead of reporting. */
export interface OpenCrash {
  readonly id: number;
  readonly ended: string;
}

/** Opens images in a process of their own, which may crash. Another one then takes the next image. */
export class Opener {
  #child: ChildProcess | undefined;
  #waiting: { readonly id: number; readonly resolve: (report: OpenReport | OpenCrash) => void } | undefined;

  open(job: OpenJob): Promise<OpenReport | OpenCrash> {
    return new Promise((resolve) => {
      this.#waiting = { id: job.id, resolve };
      this.#child ??= this.#start();
      this.#child.stdin?.write(`${JSON.stringify(job)}\n`);
    });
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.stdin?.end();
    await ended;
  }

  #start(): ChildProcess {
    const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-2_000);
    });
    child.stdin.on('error', () => {});
    createInterface({ input: child.stdout }).on('line', (line) => {
      // oxlint-disable-next-line eslint/no-restricted-properties -- written by the child process
      this.#settle(JSON.parse(line) as OpenReport);
    });
    child.once('close', (code, signal) => {
      this.#child = undefined;
      if (this.#waiting !== undefined) this.#settle({ id: this.#waiting.id, ended: `ended with ${code ?? signal} ${complaint}`.trim() });
    });
    return child;
  }

  #settle(report: OpenReport | OpenCrash): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(report);
  }
}
