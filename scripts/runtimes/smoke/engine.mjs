import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** Milliseconds in which an engine must be ready, and in which a command must end. They only end a run that hangs. */
const PATIENCE_MS = 100_000;

/**
 * The engine of a smoke run: the program of the runtime, and the main file of the command line.
 *
 * @typedef {{ program: string, cli: string }} EngineCommand
 */

/** @typedef {Record<'worker' | 'stream' | 'http' | 'admin', number>} Ports */

/**
 * Returns free ports below those that systems assign by themselves, so that an engine can be started again on them.
 *
 * @returns {Promise<Ports>}
 */
export async function freePorts() {
  /** @type {import('node:net').Server[]} */
  const held = [];
  const find = async () => {
    for (;;) {
      const port = 12_000 + Math.floor(Math.random() * 20_000);
      const server = createServer();
      const isFree = await new Promise((resolve) => {
        server.once('error', () => resolve(false));
        server.listen(port, '127.0.0.1', () => resolve(true));
      });
      if (!isFree) continue;
      held.push(server);
      return port;
    }
  };
  const ports = { worker: await find(), stream: await find(), http: await find(), admin: await find() };
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** An engine process of the smoke run, with a folder and ports of its own. */
export class SmokeEngine {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;
  /** Everything that the engine has written to stderr. */
  log = '';

  /** @param {EngineCommand} command @param {string} folder @param {Ports} ports @param {string} config */
  constructor(command, folder, ports, config) {
    this.command = command;
    this.folder = folder;
    this.ports = ports;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'config.yaml'), config);
  }

  get workerUrl() {
    return `ws://127.0.0.1:${this.ports.worker}`;
  }

  get streamUrl() {
    return `ws://127.0.0.1:${this.ports.stream}`;
  }

  get httpUrl() {
    return `http://127.0.0.1:${this.ports.http}`;
  }

  get adminUrl() {
    return `http://127.0.0.1:${this.ports.admin}`;
  }

  /** Starts the engine and resolves when it is ready. */
  async start() {
    const child = spawn(this.command.program, [this.command.cli, 'start', '--config', 'config.yaml'], {
      cwd: this.folder,
      env: { ...process.env, RIVULET_LOG_FORMAT: 'text' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (data) => (this.log += String(data)));
    let output = '';
    await new Promise((resolve, reject) => {
      const fail = (/** @type {string} */ reason) => reject(new Error(`the engine ${reason}: ${output}${this.log}`));
      const timer = setTimeout(() => fail('is not ready'), PATIENCE_MS);
      child.once('error', (error) => fail(`did not start (${error.message})`));
      child.once('close', (code, signal) => fail(`ended with ${code ?? signal} before it was ready`));
      child.stdout.on('data', (data) => {
        output += String(data);
        if (!/^ready .*\n/m.test(output)) return;
        clearTimeout(timer);
        resolve(undefined);
      });
    });
  }

  /**
   * Ends the engine with a signal. Resolves with its exit code; `null` if a signal has ended it.
   *
   * @param {NodeJS.Signals} signal
   * @returns {Promise<number | null>}
   */
  async end(signal) {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    await ended;
    return child.exitCode;
  }

  /**
   * Runs a command of the command line in the folder of this engine.
   *
   * @param {readonly string[]} words
   * @param {NodeJS.ProcessEnv} [env]
   */
  run(words, env = {}) {
    return runCommand(this.command, words, this.folder, env);
  }
}

/**
 * Runs a command and resolves with its exit code and output.
 *
 * @param {EngineCommand} command @param {readonly string[]} words @param {string} cwd @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<{ code: number | null, stdout: string, stderr: string }>}
 */
export function runCommand({ program, cli }, words, cwd, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [cli, ...words], { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => (stdout += String(data)));
    child.stderr.on('data', (data) => (stderr += String(data)));
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

/**
 * Returns the configuration of the main engine: all listeners, both stores in directories, and an auth function for stream clients.
 *
 * @param {Ports} ports
 */
export function durableConfig({ worker, stream, http, admin }) {
  const kv = (/** @type {string} */ path) => `{ name: kv, config: { store_method: file_based, file_path: ${path} } }`;
  return `workers:
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: ${worker} }
  - name: iii-stream
    config:
      host: 127.0.0.1
      port: ${stream}
      drain_spread_ms: 0
      auth_function: smoke::auth
      expose_functions: ['match("smoke::*")']
      adapter: ${kv('./streams')}
  - name: iii-state
    config: { adapter: ${kv('./state')} }
  - name: iii-http
    config: { host: 127.0.0.1, port: ${http} }
  - name: rivulet-admin
    config: { host: 127.0.0.1, port: ${admin} }
`;
}

/**
 * Returns the configuration of an engine over a Redis.
 *
 * @param {Ports} ports @param {string} redisUrl @param {string} prefix
 */
export function redisConfig({ worker, stream }, redisUrl, prefix) {
  return `workers:
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: ${worker} }
  - name: iii-stream
    config:
      host: 127.0.0.1
      port: ${stream}
      drain_spread_ms: 0
      adapter: { name: redis, config: { redis_url: "${redisUrl}", key_prefix: ${prefix} } }
`;
}

/**
 * Returns the configuration of an engine that checks tokens and keeps its streams in memory.
 *
 * @param {Ports} ports @param {string} secret
 */
export function jwtConfig({ worker, stream }, secret) {
  return `workers:
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: ${worker} }
  - name: iii-stream
    config:
      host: 127.0.0.1
      port: ${stream}
      auth: { jwt: { algorithms: [HS256], secret: ${secret}, grants: { join: ["chat/{sub}"] } } }
`;
}

/**
 * Returns the configuration of an engine with a worker and a stream listener, which keeps everything in memory.
 *
 * @param {Ports} ports
 */
export function memoryConfig({ worker, stream }) {
  return `workers:
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: ${worker} }
  - name: iii-stream
    config: { host: 127.0.0.1, port: ${stream} }
`;
}
