import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { CLI, endProcess, isRunning, whenReady } from './built-engine.js';
import { stablePorts } from './stable-ports.js';

const READY_MS = 90_000;

/** Ports of the listeners. Only a `config` can open the second worker listener, `guest`. */
export type EnginePorts = Readonly<Record<'worker' | 'guest' | 'stream' | 'http' | 'admin', number>>;

export interface EngineProcessOptions {
  /** Returns the whole configuration for these ports. It replaces the configuration that the options below make. */
  readonly config?: (ports: EnginePorts) => string;
  /** Settings of `iii-stream` besides port and adapter, as YAML without indentation, one line each. */
  readonly stream?: readonly string[];
  /** Adds `iii-state` with these lines besides its adapter. Its store is of the same kind as that of streams. */
  readonly state?: readonly string[];
  /**
   * Adapter of `iii-stream`, as YAML on one line.
   * @default kv in a directory of the engine
   */
  readonly adapter?: string;
  /**
   * Adapter of `iii-state`, as YAML on one line.
   * @default kv in a directory of the engine
   */
  readonly stateAdapter?: string;
  /** Adds `rivulet-admin` with these lines besides its host and port. */
  readonly admin?: readonly string[];
  readonly storeMethod?: 'file_based' | 'in_memory';
  /** A program and its arguments, such as strace, that start the engine. */
  readonly wrapper?: readonly string[];
  /** Environment variables, added to those of the test. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Main file of the command.
   * @default that of the engine in this repository
   */
  readonly cli?: string;
  /**
   * Data directory of another engine.
   * @default a new one, removed when the test ends
   */
  readonly directory?: string;
}

/**
 * Runs the built engine as a child process with a directory of its own. A test can kill it and start it again on the same ports and data.
 */
export class EngineProcess {
  readonly directory: string;
  readonly #options: EngineProcessOptions;
  #child: ChildProcess | undefined;
  #ports: EnginePorts = { worker: 0, guest: 0, stream: 0, http: 0, admin: 0 };
  /** Everything that the engine has written to stderr. */
  log = '';

  private constructor(directory: string, options: EngineProcessOptions) {
    this.directory = directory;
    this.#options = options;
  }

  /** Starts an engine, which is killed when the test ends. */
  static async start(options: EngineProcessOptions = {}): Promise<EngineProcess> {
    const engine = new EngineProcess(options.directory ?? (await mkdtemp(join(tmpdir(), 'rivulet-engine-'))), options);
    onTestFinished(async () => {
      await engine.kill();
      if (options.directory === undefined) await rm(engine.directory, { recursive: true, force: true });
    });
    engine.#ports = await stablePorts(['worker', 'guest', 'stream', 'http', 'admin']);
    await engine.start();
    return engine;
  }

  get ports(): EnginePorts {
    return this.#ports;
  }

  get workerUrl(): string {
    return `ws://127.0.0.1:${this.#ports.worker}`;
  }

  get guestUrl(): string {
    return `ws://127.0.0.1:${this.#ports.guest}`;
  }

  get streamUrl(): string {
    return `ws://127.0.0.1:${this.#ports.stream}`;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.#ports.http}`;
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.#ports.admin}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Output of the engine on stderr. A test may pause or close it. Throws when no engine runs. */
  get stderr(): Readable {
    const stderr = this.#child?.stderr;
    if (stderr == null) throw new Error('the engine is not running');
    return stderr;
  }

  get running(): boolean {
    return isRunning(this.#child);
  }

  /** Starts the engine again on its ports. Resolves when the engine reports that it is ready. */
  async start(): Promise<void> {
    const file = join(this.directory, 'iii-config.yaml');
    await writeFile(file, this.#options.config?.(this.#ports) ?? this.#config());
    const command = [...(this.#options.wrapper ?? []), process.execPath, this.#options.cli ?? CLI, 'start', '--config', file];
    const child = spawn(command[0] as string, command.slice(1), {
      cwd: this.directory,
      // The tests match log lines as text. Without a terminal the engine would write JSON.
      env: { ...process.env, RIVULET_LOG_FORMAT: 'text', ...this.#options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (data: Buffer) => {
      this.log += data.toString();
    });
    await whenReady(child, READY_MS, () => this.log);
  }

  /** Sends SIGKILL and resolves when the process has ended. */
  async kill(): Promise<void> {
    await endProcess(this.#child, 'SIGKILL');
  }

  /** Sends SIGTERM and resolves with the exit code. */
  async stop(): Promise<number | null> {
    return endProcess(this.#child, 'SIGTERM');
  }

  #config(): string {
    const store = this.#options.storeMethod ?? 'file_based';
    const stream = (this.#options.stream ?? []).map((line) => `      ${line}`);
    const { state, admin } = this.#options;
    return [
      'workers:',
      // Builds from before our own names know only these, and tests of upgrades start such builds.
      '  - name: iii-worker-manager',
      `    config: { host: 127.0.0.1, port: ${this.#ports.worker} }`,
      '  - name: iii-stream',
      '    config:',
      '      host: 127.0.0.1',
      `      port: ${this.#ports.stream}`,
      '      drain_spread_ms: 0',
      ...stream,
      `      adapter: ${this.#options.adapter ?? `{ name: kv, config: { store_method: ${store}, file_path: ./data } }`}`,
      ...(state === undefined
        ? []
        : [
            '  - name: iii-state',
            '    config:',
            ...state.map((line) => `      ${line}`),
            `      adapter: ${this.#options.stateAdapter ?? `{ name: kv, config: { store_method: ${store}, file_path: ./state } }`}`,
          ]),
      '  - name: iii-http',
      `    config: { host: 127.0.0.1, port: ${this.#ports.http} }`,
      ...(admin === undefined
        ? []
        : [
            '  - name: rivulet-admin',
            '    config:',
            '      host: 127.0.0.1',
            `      port: ${this.#ports.admin}`,
            ...admin.map((line) => `      ${line}`),
          ]),
      '',
    ].join('\n');
  }
}
