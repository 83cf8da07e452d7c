import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endProcess, isRunning, whenReady } from '@rivulet/testkit/engines/built-engine';
import { stablePorts } from '@rivulet/testkit/engines/stable-ports';
import { SAMPLED_NODE, sampleProcess } from './process-sample.js';

const OWN_CHECKOUT = fileURLToPath(new URL('../../../..', import.meta.url));
/** Programs of a checkout: the bundle, and the one of checkouts from before there was a bundle. */
const PROGRAMS = ['packages/engine/dist/bundle/rivulet.js', 'packages/engine/dist/cli/main.js'];
const READY_MS = 120_000;
const OWN_DIRECTORY = '{ name: kv, config: { store_method: file_based, file_path: ./data } }';

export interface Ports {
  readonly worker: number;
  readonly stream: number;
}

/** Runs the built engine as a child process. It has the same ports and data after a kill and a new start. */
export class EngineProcess {
  readonly directory: string;
  readonly ports: Ports;
  readonly #settings: readonly string[];
  readonly #cli: string;
  #child: ChildProcess | undefined;
  #log = '';

  private constructor(directory: string, ports: Ports, settings: readonly string[], cli: string) {
    this.directory = directory;
    this.ports = ports;
    this.#settings = settings;
    this.#cli = cli;
  }

  /**
   * Creates and starts an engine, which `remove` ends. `settings` are lines of the `iii-stream` configuration besides host, port and
   * adapter. `adapter` is YAML on one line, by default a directory of the engine. `checkout` is a repository with a built engine.
   */
  static async create(settings: readonly string[], adapter = OWN_DIRECTORY, checkout = OWN_CHECKOUT): Promise<EngineProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-checker-'));
    const ports = await stablePorts(['worker', 'stream']);
    const engine = new EngineProcess(directory, ports, [...settings, `adapter: ${adapter}`], programOf(checkout));
    await engine.start();
    return engine;
  }

  get dataDirectory(): string {
    return join(this.directory, 'data');
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Returns the figures of the running process; an empty object if none runs. */
  async sample(): Promise<Readonly<Record<string, number>>> {
    return this.#child === undefined || !this.running ? {} : sampleProcess(this.#child);
  }

  get running(): boolean {
    return isRunning(this.#child);
  }

  /** Starts the process. Resolves when the engine reports that it is ready. */
  async start(): Promise<void> {
    const file = join(this.directory, 'iii-config.yaml');
    await writeFile(file, this.#config());
    const child = spawn(process.execPath, [...SAMPLED_NODE, this.#cli, 'start', '--config', file], {
      cwd: this.directory,
      env: { ...process.env, RIVULET_LOG_FORMAT: 'text' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.stderr?.on('data', (data: Buffer) => {
      this.#log = (this.#log + data.toString()).slice(-20_000);
    });
    await whenReady(child, READY_MS, () => this.#log);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** Sends SIGKILL and resolves when the process has ended. */
  async kill(): Promise<void> {
    await endProcess(this.#child, 'SIGKILL');
  }

  /** Sends SIGTERM and resolves when the process has ended. */
  async stop(): Promise<void> {
    await endProcess(this.#child, 'SIGTERM');
  }

  /** Kills the process and removes its directory. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  #config(): string {
    return [
      'workers:',
      '  - name: iii-worker-manager',
      `    config: { host: 127.0.0.1, port: ${this.ports.worker} }`,
      '  - name: iii-stream',
      '    config:',
      '      host: 127.0.0.1',
      `      port: ${this.ports.stream}`,
      '      drain_spread_ms: 0',
      ...this.#settings.map((line) => `      ${line}`),
      '',
    ].join('\n');
  }
}

function programOf(checkout: string): string {
  const programs = PROGRAMS.map((program) => join(checkout, program));
  return programs.find((program) => existsSync(program)) ?? `${programs[0]}`;
}
