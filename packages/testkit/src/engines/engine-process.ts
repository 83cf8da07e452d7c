import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { stablePorts } from './stable-ports.js';

export const CLI = fileURLToPath(new URL('../../../engine/dist/cli/main.js', import.meta.url));
const READY_MS = 90_000;

/** `guest` is that of a second worker listener, which only a `config` can have. */
export type EnginePorts = Readonly<Record<'worker' | 'guest' | 'stream' | 'http', number>>;

export interface EngineProcessOptions {
  /** The whole configuration, for these ports, in place of what the options below make. */
  readonly config?: (ports: EnginePorts) => string;
  /** Lines of the `iii-stream` config beside port and adapter, as YAML without indentation. */
  readonly stream?: readonly string[];
  /** Lists `iii-state`, with these lines beside its adapter; its store is like that of streams. */
  readonly state?: readonly string[];
  /** Adapter of `iii-stream`, as YAML on one line. Default: kv in a directory of the engine. */
  readonly adapter?: string;
  /** The same of `iii-state`. */
  readonly stateAdapter?: string;
  readonly storeMethod?: 'file_based' | 'in_memory';
  /** Runs the program before the engine, for instance strace with its arguments. */
  readonly wrapper?: readonly string[];
  /** Beside those of the test. */
  readonly env?: Readonly<Record<string, string>>;
  /** The main file of the command. Default: that of the engine in this repository. */
  readonly cli?: string;
  /** Of another engine. Default: a new one, removed when the test ends. */
  readonly directory?: string;
}

/** The built engine as a process of its own, in a directory of its own. It can be killed and started again on the same ports and data. */
export class EngineProcess {
  readonly directory: string;
  readonly #options: EngineProcessOptions;
  #child: ChildProcess | undefined;
  #ports: EnginePorts = { worker: 0, guest: 0, stream: 0, http: 0 };
  /** Everything that it wrote to stderr. */
  log = '';

  private constructor(directory: string, options: EngineProcessOptions) {
    this.directory = directory;
    this.#options = options;
  }

  /** Started, and ended when the test ends. */
  static async start(options: EngineProcessOptions = {}): Promise<EngineProcess> {
    const engine = new EngineProcess(options.directory ?? (await mkdtemp(join(tmpdir(), 'rivulet-engine-'))), options);
    onTestFinished(async () => {
      await engine.kill();
      if (options.directory === undefined) await rm(engine.directory, { recursive: true, force: true });
    });
    engine.#ports = await stablePorts(['worker', 'guest', 'stream', 'http']);
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

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** What the engine writes to stderr; a test may pause or close it. */
  get stderr(): Readable {
    const stderr = this.#child?.stderr;
    if (stderr == null) throw new Error('the engine is not running');
    return stderr;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it again, on the ports that it had. Resolves when it says that it is ready. */
  async start(): Promise<void> {
    const file = join(this.directory, 'iii-config.yaml');
    await writeFile(file, this.#options.config?.(this.#ports) ?? this.#config());
    const command = [...(this.#options.wrapper ?? []), process.execPath, this.#options.cli ?? CLI, 'start', '--config', file];
    const child = spawn(command[0] as string, command.slice(1), {
      cwd: this.directory,
      env: { ...process.env, ...this.#options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (data: Buffer) => {
      this.log += data.toString();
    });
    let output = '';
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not ready after ${READY_MS} ms: ${output}${this.log}`)), READY_MS);
      child.once('exit', (code) => reject(new Error(`exited with ${code} before it was ready: ${this.log}`)));
      child.stdout.on('data', (data: Buffer) => {
        output += data.toString();
        if (!/^ready .*$/m.test(output)) return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** SIGKILL, awaited. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM; answers the exit code. */
  async stop(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || !this.running) return child?.exitCode ?? null;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    return child.exitCode;
  }

  #config(): string {
    const store = this.#options.storeMethod ?? 'file_based';
    const stream = (this.#options.stream ?? []).map((line) => `      ${line}`);
    const { state } = this.#options;
    return [
      'workers:',
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
      '',
    ].join('\n');
  }
}
