// The engine as a process of its own, so that it can be killed and started again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ROOT } from '../../scripts/set-up/workspace.mjs';

const RIVULET = join(ROOT, 'packages/engine/dist/bundle/rivulet.js');
const CONFIG = fileURLToPath(new URL('rivulet.yaml', import.meta.url));

export class EngineProcess {
  #env;
  #child;

  constructor(env) {
    this.#env = env;
  }

  /** Resolves when the engine is ready. Does nothing while it runs. */
  async start() {
    if (this.#isRunning()) return;
    const env = { ...process.env, ...this.#env };
    // A process group of its own, so that Ctrl-C reaches only start.mjs, which stops everything in order.
    this.#child = spawn(process.execPath, [RIVULET, 'start', '--config', CONFIG], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    const lines = createInterface({ input: this.#child.stdout });
    await new Promise((resolve, reject) => {
      lines.on('line', (line) => line.startsWith('ready ') && resolve());
      this.#child.once('exit', () => reject(new Error('the engine ended before it was ready; its messages are above')));
    });
  }

  async end(signal) {
    if (!this.#isRunning()) return;
    this.#child.kill(signal);
    await once(this.#child, 'exit');
  }

  #isRunning() {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }
}
