import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { PATIENCE_MS } from '../inbox.js';

const PROBE = fileURLToPath(new URL('../../probes/loop-delay-probe.mjs', import.meta.url));

export interface LoopFigures {
  /** 99th percentile of the lateness of the event loop by the wall clock, in milliseconds. Other processes on the machine add to it. */
  readonly p99Ms: number;
  readonly maxMs: number;
  /**
   * 99th percentile of the main thread's processor time between two ticks of a 5 ms timer, in milliseconds. It is the work of one turn of
   * the event loop.
   */
  readonly sliceP99Ms: number;
  readonly sliceMaxMs: number;
}

/** Measures how late the event loop of an engine process runs, and how much work one turn of it does. */
export class LoopDelay {
  /** Environment variables for the engine process. */
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor() {
    const directory = mkdtempSync(join(tmpdir(), 'rivulet-loop-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    this.#file = join(directory, 'delay.json');
    this.env = { LOOP_DELAY_FILE: this.#file, NODE_OPTIONS: `--import=${PROBE}` };
  }

  /** Returns the figures since the last call, and begins a new measurement. */
  async take(pid: number): Promise<LoopFigures> {
    await rm(this.#file, { force: true });
    process.kill(pid, 'SIGUSR2');
    for (let waited = 0; waited < PATIENCE_MS; waited += 10) {
      try {
        return JSON.parse(await readFile(this.#file, 'utf8')) as LoopFigures;
      } catch {
        await setTimeout(10);
      }
    }
    throw new Error('the engine did not tell its event-loop delay');
  }
}
