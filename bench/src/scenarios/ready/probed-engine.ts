import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../servers/free-ports.js';
import { pin, SERVER_CPU } from '../../servers/server-process.js';

const CLI = fileURLToPath(new URL('../../../../packages/engine/bin/rivulet.js', import.meta.url));
const START_MS = 90_000;
/** Longest wait for a change of `/ready`. */
const CHANGE_MS = 60_000;
const PROBE_EVERY_MS = 2;

export interface ProbedEngineOptions {
  /** An empty directory for its configuration and its stores. */
  readonly directory: string;
  /** The adapter of streams, as YAML on one line. */
  readonly adapter: string;
  /** A program and its arguments that start the engine. @default none */
  readonly wrapper?: readonly string[];
}

/** An engine as operators start it, whose `/ready` the scenario probes. */
export class ProbedEngine {
  readonly streamUrl: string;
  readonly #adminUrl: string;
  readonly #child: ChildProcess;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2 });

  private constructor(child: ChildProcess, streamUrl: string, adminUrl: string) {
    this.#child = child;
    this.streamUrl = streamUrl;
    this.#adminUrl = adminUrl;
  }

  /** Resolves when `/ready` is green. */
  static async start({ directory, adapter, wrapper = [] }: ProbedEngineOptions): Promise<ProbedEngine> {
    const [worker, stream, admin] = [await freePort(), await freePort(), await freePort()];
    const config = [
      'workers:',
      `  - { name: iii-worker-manager, config: { host: 127.0.0.1, port: ${worker} } }`,
      `  - { name: iii-stream, config: { host: 127.0.0.1, port: ${stream}, adapter: ${adapter} } }`,
      `  - { name: rivulet-admin, config: { port: ${admin} } }`,
      '',
    ];
    writeFileSync(join(directory, 'iii-config.yaml'), config.join('\n'));
    const [program, ...words] = [...wrapper, process.execPath, CLI, 'start'];
    const child = spawn(...pin(SERVER_CPU, program, words), {
      cwd: directory,
      // strace counts the calls of each thread.
      env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await started(child);
    const engine = new ProbedEngine(child, `ws://127.0.0.1:${stream}`, `http://127.0.0.1:${admin}`);
    await engine.until(200);
    return engine;
  }

  /** Resolves when `/ready` answers with the status, with the time of that answer. */
  async until(status: 200 | 503): Promise<number> {
    const from = performance.now();
    while ((await this.ready()) !== status) {
      if (performance.now() - from > CHANGE_MS) throw new Error(`/ready did not become ${status} in ${CHANGE_MS} ms`);
      await pause(PROBE_EVERY_MS);
    }
    return performance.now();
  }

  /** Returns the status of `/ready`. */
  ready(): Promise<number> {
    return this.#status('GET', '/ready');
  }

  /** Writes an item. Returns the status. */
  write(): Promise<number> {
    return this.#status('PUT', '/api/streams/s/groups/g/items/m');
  }

  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  #status(method: string, path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = method === 'GET' ? {} : { 'content-type': 'application/json' };
      const sent = request(`${this.#adminUrl}${path}`, { method, headers, agent: this.#agent }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0));
      });
      sent.once('error', reject);
      sent.end(method === 'GET' ? undefined : '{"n":1}');
    });
  }
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error('unreachable');
    const timer = setTimeout(() => reject(new Error(`the engine is not ready after ${START_MS} ms`)), START_MS);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the engine ended with ${code}`));
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('ready ')) return;
      clearTimeout(timer);
      resolve();
    });
  });
}
