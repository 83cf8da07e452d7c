import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-ports.js';
import { pin, SERVER_CPU } from './server-process.js';

const READY = 'Ready to accept connections';
const START_TIMEOUT_MS = 90_000;

/** A new Redis on loopback that stores nothing on disk. It runs on the processor of the servers. */
export class RedisServer {
  readonly pid: number;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(child: ChildProcess, port: number, directory: string) {
    if (child.pid === undefined) throw new Error('redis-server did not start');
    this.pid = child.pid;
    this.port = port;
    this.#child = child;
    this.#directory = directory;
  }

  /** Throws when no redis-server is installed. */
  static require(): void {
    if (spawnSync('redis-server', ['--version']).status !== 0) throw new Error('there is no redis-server; apt-get install redis-server');
  }

  /** Resolves when it accepts connections. Without a port it takes a free one. */
  static async start(fixedPort?: number): Promise<RedisServer> {
    const port = fixedPort ?? (await freePort());
    const directory = mkdtempSync(join(tmpdir(), 'rivulet-bench-redis-'));
    const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory];
    const child = spawn(...pin(SERVER_CPU, 'redis-server', [...where, '--save', '', '--appendonly', 'no']), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const server = new RedisServer(child, port, directory);
    try {
      await ready(child);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await exit;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error('unreachable');
    const timer = setTimeout(() => reject(new Error(`redis-server is not ready after ${START_TIMEOUT_MS} ms`)), START_TIMEOUT_MS);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`redis-server ended with ${code}`));
    });
    // Redis keeps logging. Read its output, so that the pipe does not fill.
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.includes(READY)) return;
      clearTimeout(timer);
      resolve();
    });
  });
}
