import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { PATIENCE_MS } from './inbox.js';

const PROBE = fileURLToPath(new URL('./loop-delay-probe.mjs', import.meta.url));

/** Measures how late the event loop of an engine process runs. */
export class LoopDelay {
  /** For the engine. */
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor() {
    const directory = mkdtempSync(join(tmpdir(), 'rivulet-loop-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    this.#file = join(directory, 'delay.json');
    this.env = { LOOP_DELAY_FILE: this.#file, NODE_OPTIONS: `--import=${PROBE}` };
  }

  /** A process that does nothing, to compare with; answers its pid. */
  async idleProcess(): Promise<number> {
    const child = spawn(process.execPath, ['-e', 'process.stdout.write("ready"); setInterval(() => {}, 1000)'], {
      env: { ...process.env, ...this.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    await once(child.stdout, 'data');
    return child.pid ?? 0;
  }

  /** Since the last call, which began a new measurement. */
  async take(pid: number): Promise<{ readonly p99Ms: number; readonly maxMs: number }> {
    await rm(this.#file, { force: true });
    process.kill(pid, 'SIGUSR2');
    for (let waited = 0; waited < PATIENCE_MS; waited += 10) {
      try {
        return JSON.parse(await readFile(this.#file, 'utf8')) as { p99Ms: number; maxMs: number };
      } catch {
        await setTimeout(10);
      }
    }
    throw new Error('the engine did not tell its event-loop delay');
  }
}
