import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';

/** Milliseconds in which several saved files count as one change. */
const SETTLE_MS = 100;

/**
 * Runs a program, and starts it again after each change below the watched folders. Each change is built first. If the build fails, the old
 * program runs until the next change.
 *
 * @typedef {object} RestarterOptions
 * @property {readonly string[]} folders  Folders to watch, with all folders below them.
 * @property {() => Promise<boolean>} build  Resolves with whether the build passed.
 * @property {readonly string[]} args  Arguments of Node: the program and its own arguments.
 * @property {(message: string) => void} say
 */
export class Restarter {
  #options;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #program;
  /** @type {import('node:fs').FSWatcher[]} */
  #watchers = [];
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #isWorking = false;
  #hasChanged = false;
  #isEnding = false;

  /** @param {RestarterOptions} options */
  constructor(options) {
    this.#options = options;
  }

  start() {
    for (const folder of this.#options.folders) this.#watchers.push(watch(folder, { recursive: true }, () => this.#changed()));
    this.#launch();
  }

  /** Ends the program and resolves with its exit code; 0 if it does not run. @param {NodeJS.Signals} signal @returns {Promise<number>} */
  async end(signal) {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
    return this.#stop(signal);
  }

  #launch() {
    const program = spawn(process.execPath, this.#options.args, { stdio: 'inherit' });
    this.#program = program;
    program.once('exit', (code, signal) => {
      if (this.#program !== program) return;
      this.#program = undefined;
      if (!this.#isEnding) this.#options.say(`the engine ended (${signal ?? code}); it starts again after the next change`);
    });
  }

  /** @param {NodeJS.Signals} signal @returns {Promise<number>} */
  async #stop(signal) {
    const program = this.#program;
    if (program === undefined) return 0;
    this.#program = undefined;
    const exit = once(program, 'exit');
    program.kill(signal);
    const [code] = await exit;
    return code ?? 1;
  }

  #changed() {
    this.#hasChanged = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settled(), SETTLE_MS);
  }

  #settled() {
    if (this.#isWorking) return;
    this.#isWorking = true;
    this.#renew()
      .catch((error) => this.#options.say(`the restart failed: ${error}`))
      .finally(() => {
        this.#isWorking = false;
        if (this.#hasChanged && !this.#isEnding) this.#changed();
      });
  }

  async #renew() {
    this.#hasChanged = false;
    if (!(await this.#options.build())) {
      this.#options.say('the build failed; the engine runs on as it was');
      return;
    }
    if (this.#isEnding) return;
    this.#options.say('restarting the engine');
    await this.#stop('SIGTERM');
    if (!this.#isEnding) this.#launch();
  }
}
