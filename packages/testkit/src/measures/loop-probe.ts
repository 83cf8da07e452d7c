import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { PATIENCE_MS } from '../inbox.js';

/** A script that measures the event loop inside of an engine process. It writes its figures into a file when it gets SIGUSR2. */
export class LoopProbe<Figures> {
  /** Environment variables for the engine process. */
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  /** `script` is the module that measures. It reads the path of its output from the environment variable `fileVariable`. */
  constructor(script: URL, fileVariable: string) {
    const directory = mkdtempSync(join(tmpdir(), 'rivulet-loop-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    this.#file = join(directory, 'figures.json');
    this.env = { [fileVariable]: this.#file, NODE_OPTIONS: `--import=${fileURLToPath(script)}` };
  }

  /** Returns the figures since the last call, and begins a new measurement. */
  async take(pid: number): Promise<Figures> {
    await rm(this.#file, { force: true });
    process.kill(pid, 'SIGUSR2');
    for (let waited = 0; waited < PATIENCE_MS; waited += 10) {
      try {
        return JSON.parse(await readFile(this.#file, 'utf8')) as Figures;
      } catch {
        await setTimeout(10);
      }
    }
    throw new Error('the engine did not write the figures of its event loop');
  }
}
