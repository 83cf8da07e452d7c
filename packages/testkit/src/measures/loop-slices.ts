import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { PATIENCE_MS } from '../inbox.js';

const PROBE = fileURLToPath(new URL('../../probes/loop-slices-probe.mjs', import.meta.url));

/** Processor time of the main thread of an engine, in milliseconds. */
export interface Slices {
  /** The longest run without a turn of the event loop. The kernel counts in steps of up to 4 ms. */
  readonly longestMs: number;
  /** The ten longest runs, in descending order. */
  readonly longest: readonly number[];
  readonly totalMs: number;
  /** Bytes of the heap and of buffers in use. With `--expose-gc` the figure is taken after a garbage collection. */
  readonly heldBytes: number;
}

/** Measures how long the main thread of an engine process works without a turn of its event loop. */
export class LoopSlices {
  /** Environment variables for the engine process. */
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor() {
    const directory = mkdtempSync(join(tmpdir(), 'rivulet-slices-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    this.#file = join(directory, 'slices.json');
    this.env = { LOOP_SLICES_FILE: this.#file, NODE_OPTIONS: `--import=${PROBE}` };
  }

  /** Returns the figures since the last call, and begins a new measurement. */
  async take(pid: number): Promise<Slices> {
    await rm(this.#file, { force: true });
    process.kill(pid, 'SIGUSR2');
    for (let waited = 0; waited < PATIENCE_MS; waited += 10) {
      try {
        return JSON.parse(await readFile(this.#file, 'utf8')) as Slices;
      } catch {
        await setTimeout(10);
      }
    }
    throw new Error('the engine did not write its slices');
  }
}
