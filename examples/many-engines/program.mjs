// Runs a program, prints each of its lines, and lets callers wait for one of them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const PATIENCE_MS = 15_000;

export class Program {
  #name;
  #child;
  #exited;
  #waiting = new Set();

  constructor(name, command, args, env = {}) {
    this.#name = name;
    // A process group of its own, so that Ctrl-C reaches only start.mjs, which stops the programs in order.
    this.#child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#exited = once(this.#child, 'exit');
    this.#exited.then(
      ([code, signal]) => console.log(`[${name}] ended with ${signal ?? code}`),
      () => {},
    );
    for (const output of [this.#child.stdout, this.#child.stderr])
      createInterface({ input: output }).on('line', (line) => this.#said(line));
  }

  get running() {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves with the next line that fits. Rejects when the program ends first, or after 15 s. */
  async until(pattern) {
    let waiting;
    let timer;
    const said = new Promise((found, failed) => {
      waiting = { pattern, found };
      timer = setTimeout(() => failed(new Error(`${this.#name} has not said ${pattern} in ${PATIENCE_MS} ms`)), PATIENCE_MS);
      this.#exited.then(() => failed(new Error(`${this.#name} ended before it said ${pattern}`)), failed);
    });
    this.#waiting.add(waiting);
    try {
      return await said;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(waiting);
    }
  }

  /** Resolves when the program has ended. */
  async end(signal) {
    if (!this.running) return;
    this.#child.kill(signal);
    await this.#exited;
  }

  #said(line) {
    console.log(`[${this.#name}] ${line}`);
    for (const { pattern, found } of this.#waiting) if (pattern.test(line)) found(line);
  }
}
