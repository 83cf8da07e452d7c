import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A command that does not end by itself fails after this time without a ready line. */
const READY_MS = 300_000;

/**
 * The commands of a person in one folder, each as typed into a shell. It counts them and keeps a transcript with the time of each.
 */
export class Steps {
  #folder;
  #env;
  #begun = performance.now();
  /** @type {string[]} */
  #transcript = [];
  /** @type {Set<import('node:child_process').ChildProcess>} */
  #running = new Set();

  /** @param {string} folder @param {NodeJS.ProcessEnv} [env] */
  constructor(folder, env = {}) {
    this.#folder = folder;
    this.#env = { ...process.env, npm_config_audit: 'false', npm_config_fund: 'false', npm_config_prefer_offline: 'true', ...env };
  }

  get count() {
    return this.#transcript.length;
  }

  get seconds() {
    return Math.round((performance.now() - this.#begun) / 1_000);
  }

  /** The commands, each with the seconds that it took, or that a server took until it was ready. */
  get transcript() {
    return this.#transcript;
  }

  /** Runs a command to its end, and returns its output. @param {string} command @returns {Promise<string>} */
  async run(command) {
    const { child, printed, note } = this.#spawn(command);
    const [code] = await once(child, 'close');
    note();
    if (code !== 0) throw new Error(`${command} ended with ${code}:\n${printed()}`);
    return printed();
  }

  /**
   * Starts a command that runs on, and returns its output when the output has this text.
   *
   * @param {string} command @param {RegExp} ready
   * @returns {Promise<string>}
   */
  async start(command, ready) {
    const { child, printed, note } = this.#spawn(command);
    await new Promise((resolve, reject) => {
      const failed = (/** @type {string} */ why) => reject(new Error(`${command} ${why}:\n${printed()}`));
      const timer = setTimeout(() => failed('is not ready'), READY_MS);
      const look = () => ready.test(printed()) && resolve(clearTimeout(timer));
      child.stdout?.on('data', look);
      child.stderr?.on('data', look);
      child.once('close', (code) => failed(`ended with ${code}`));
    });
    note();
    return printed();
  }

  /** Ends all commands that run. */
  async stop() {
    await Promise.all(
      [...this.#running].map(async (child) => {
        const closed = once(child, 'close');
        // The group of the shell, with all that it has started.
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
        await closed;
      }),
    );
  }

  /** @param {string} command */
  #spawn(command) {
    const begun = performance.now();
    const child = spawn('/bin/sh', ['-c', command], {
      cwd: this.#folder,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let text = '';
    child.stdout.on('data', (part) => (text += String(part)));
    child.stderr.on('data', (part) => (text += String(part)));
    this.#running.add(child);
    child.once('close', () => this.#running.delete(child));
    const note = () => this.#transcript.push(`$ ${command}   # ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
    return { child, printed: () => text, note };
  }
}

/** Returns ports of this machine that nothing uses now. @param {number} count @returns {Promise<number[]>} */
export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports = await Promise.all(
    servers.map(async (server) => {
      await once(server, 'listening');
      const address = server.address();
      return typeof address === 'object' && address !== null ? address.port : 0;
    }),
  );
  for (const server of servers) server.close();
  return ports;
}
