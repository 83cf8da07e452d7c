import { spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** @import { Build } from './old-build.mjs' */
/** @import { SmokeEngine } from '../runtimes/smoke/engine.mjs' */

/** Milliseconds that a command of a peer may take. They only end a run that hangs. */
const COMMAND_MS = 120_000;

/** A process with a worker and a stream client of one build. */
export class Peer {
  #child;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  #last = 0;
  #log = '';

  /** @param {Build} build @param {SmokeEngine} engine @param {string} name */
  constructor(build, engine, name) {
    this.name = name;
    const program = join(build.modules, 'rivulet-upgrade-peer.mjs');
    copyFileSync(join(import.meta.dirname, 'peer-main.mjs'), program);
    this.#child = spawn(process.execPath, [program, engine.workerUrl, engine.streamUrl, name], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.on('data', (data) => (this.#log += String(data)));
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#answer(line));
    this.#child.once('close', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the peer ${name} ended with ${code}: ${this.#log}`));
    });
  }

  /**
   * Sends a command and resolves with its result.
   *
   * @param {string} command
   * @param {readonly unknown[]} args
   * @returns {Promise<any>}
   */
  do(command, ...args) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.name}: ${command} ${JSON.stringify(args)} has no answer: ${this.#log}`)),
        COMMAND_MS,
      );
      const settled = (/** @type {(value: any) => void} */ settle) => (/** @type {any} */ value) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        settle(value);
      };
      this.#waiting.set(id, { resolve: settled(resolve), reject: settled(reject) });
      this.#child.stdin.write(`${JSON.stringify({ id, command, args })}\n`);
    });
  }

  /** Closes the peers in order. Resolves when the process has ended. */
  async close() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), COMMAND_MS);
    await ended;
    clearTimeout(timer);
  }

  /** @param {string} line */
  #answer(line) {
    if (!line.startsWith('{')) return;
    const { id, result, error } = JSON.parse(line);
    if (error === undefined) this.#waiting.get(id)?.resolve(result);
    else this.#waiting.get(id)?.reject(new Error(`${this.name}: ${error}`));
  }
}
