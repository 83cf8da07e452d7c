import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stablePorts } from '../engines/stable-ports.js';

/** Line that a server or a sentinel prints when it is ready. */
const READY = /Ready to accept connections|\+monitor master/;
const SENTINEL_FILE = 'sentinel.conf';
const READY_MS = 90_000;

/** A Redis server of its own on loopback, with a directory of its own. */
export class RedisServer {
  readonly port: number;
  readonly #directory = mkdtempSync(join(tmpdir(), 'rivulet-redis-'));
  readonly #options: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, options: readonly string[]) {
    this.port = port;
    this.#options = options;
  }

  /**
   * Starts a server with these options of redis-server. By default it stores nothing on disk. `dump` is a snapshot of another server, which
   * this one loads.
   */
  static async start(options: readonly string[] = ['--save', '', '--appendonly', 'no'], dump?: Buffer): Promise<RedisServer> {
    const server = new RedisServer(await redisPort(), options);
    if (dump !== undefined) writeFileSync(join(server.#directory, 'dump.rdb'), dump);
    await server.start();
    return server;
  }

  /** Starts a sentinel that watches the server `of` under this name. A failover needs the agreement of `quorum` sentinels. */
  static async startSentinel(of: RedisServer, name: string, quorum: number): Promise<RedisServer> {
    const sentinel = new RedisServer(await redisPort(), ['--sentinel']);
    const lines = [
      `sentinel monitor ${name} 127.0.0.1 ${of.port} ${quorum}`,
      `sentinel down-after-milliseconds ${name} 500`,
      `sentinel failover-timeout ${name} 2000`,
    ];
    // The sentinel stores its own state in this file.
    writeFileSync(join(sentinel.#directory, SENTINEL_FILE), `${lines.join('\n')}\n`);
    await sentinel.start();
    return sentinel;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('redis-server does not run');
    return pid;
  }

  /** Starts the server again, on the same port and directory. */
  async start(): Promise<void> {
    const where = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#directory, '--daemonize', 'no'];
    const file = this.#options.includes('--sentinel') ? [join(this.#directory, SENTINEL_FILE)] : [];
    const child = spawn('redis-server', [...file, ...where, ...this.#options], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    const lines = createInterface({ input: child.stdout });
    const output: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`redis-server is not ready:\n${output.join('\n')}`)), READY_MS);
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}:\n${output.join('\n')}`)));
      lines.on('line', (line) => {
        output.push(line);
        if (!READY.test(line)) return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Ends the server and resolves when the process has ended. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await ended;
  }

  /** Runs a command through redis-cli, which is installed with the server. */
  command(...words: readonly string[]): string {
    return execFileSync('redis-cli', ['-p', String(this.port), ...words], { encoding: 'utf8' }).trim();
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Returns a port that stays free for a server that is killed and started again. */
export async function redisPort(): Promise<number> {
  return (await stablePorts(['port'])).port;
}
