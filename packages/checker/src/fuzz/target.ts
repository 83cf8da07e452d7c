import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLI, CLI_MODULES, endProcess, whenReady } from '@rivulet/testkit/engines/built-engine';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { SAMPLED_NODE, sampleProcess } from '../live/process-sample.js';
import { nodeArgumentsOf } from './faults.js';

const READY_MS = 120_000;
const EXIT_MS = 5_000;
const LOG_CHARS = 200_000;
/** Heap of the engine, in MiB. It must be sufficient. */
const HEAP_MB = 512;

/** Rates above those of all peers. With the defaults the engine would refuse most messages unread. */
const UNLIMITED = ['max_calls_per_second: 1000000', 'max_frames_per_second: 1000000', 'max_bytes_per_second: 1073741824'];

export type StoreKind = 'memory' | 'lmdb' | 'redis';
export const STORES: readonly StoreKind[] = ['memory', 'lmdb', 'redis'];

export interface TargetPorts {
  readonly worker: number;
  readonly guest: number;
  readonly guarded: number;
  readonly stream: number;
  readonly http: number;
  readonly admin: number;
}

/** Runs an engine with every listener as a child process, over one kind of store. */
export class Target {
  readonly kind: StoreKind;
  readonly #directory: string;
  readonly #redis: RedisServer | undefined;
  readonly #child: ChildProcess;
  ports: TargetPorts = { worker: 0, guest: 0, guarded: 0, stream: 0, http: 0, admin: 0 };
  #log = '';
  #stopping = false;
  /** Description of the end of the process; undefined while it runs or after `stop`. */
  ended: string | undefined;

  private constructor(kind: StoreKind, directory: string, redis: RedisServer | undefined, fault: string | undefined) {
    this.kind = kind;
    this.#directory = directory;
    this.#redis = redis;
    const node = [...SAMPLED_NODE, ...nodeArgumentsOf(fault), `--max-old-space-size=${HEAP_MB}`];
    const program = fault === undefined ? CLI : CLI_MODULES;
    this.#child = spawn(process.execPath, [...node, program, 'start', '--config', join(directory, 'iii-config.yaml')], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#log = (this.#log + data.toString()).slice(-LOG_CHARS);
    });
    // At `exit`, the last lines of the log may not have been read.
    this.#child.once('close', (code, signal) => {
      if (this.#stopping) return;
      this.ended = `the engine ended with ${code ?? signal}: ${this.#log.slice(-4_000)}`;
    });
  }

  static async start(kind: StoreKind, fault?: string): Promise<Target> {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-fuzz-'));
    const redis = kind === 'redis' ? await RedisServer.start() : undefined;
    await writeFile(join(directory, 'iii-config.yaml'), configOf(kind, redis?.url ?? ''));
    const target = new Target(kind, directory, redis, fault);
    target.ports = portsOf(await whenReady(target.#child, READY_MS, () => target.#log));
    return target;
  }

  /** Resolves when the process has ended, or after `EXIT_MS`. A crashing process closes its connections first. */
  async endsSoon(): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, EXIT_MS).unref());
    const ended = new Promise<void>((resolve) => this.#child.once('close', () => setImmediate(resolve)));
    if (this.ended === undefined) await Promise.race([ended, late]);
  }

  /** Log lines of level error. Each is an exception that only the outermost boundary of the engine caught. */
  get errors(): readonly string[] {
    return this.#log.split('\n').filter((line) => line.startsWith('{"level":"error"'));
  }

  /** Returns the bytes in use after a garbage collection. */
  async heldBytes(): Promise<number | undefined> {
    return (await sampleProcess(this.#child))['heldBytes'];
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await endProcess(this.#child, 'SIGKILL');
    await this.#redis?.dispose();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** Reads the ports from the ready line, which has the listeners in the order of the configuration. */
function portsOf(line: string): TargetPorts {
  const all = [...line.matchAll(/(\w+)=\w+:\/\/[^ ]*:(\d+)/g)].map(([, name, port]) => ({ name, port: Number(port) }));
  const [worker = 0, guest = 0, guarded = 0] = all.filter(({ name }) => name === 'worker').map(({ port }) => port);
  const portOf = (name: string) => all.find((listener) => listener.name === name)?.port ?? 0;
  return { worker, guest, guarded, stream: portOf('stream'), http: portOf('http'), admin: portOf('admin') };
}

function adapterOf(kind: StoreKind, url: string, name: string): string {
  switch (kind) {
    case 'memory':
      return '{ name: kv, config: { store_method: in_memory } }';
    case 'lmdb':
      return `{ name: kv, config: { store_method: file_based, file_path: ./${name}, durability: relaxed } }`;
    case 'redis':
      return `{ name: redis, config: { redis_url: "${url}", command_timeout_ms: 30000 } }`;
    default:
      return kind satisfies never;
  }
}

/** Returns the configuration of one worker listener for guests. `more` has its own lines, without indentation. */
function guestListener(more: readonly string[]): string {
  return [
    '  - name: iii-worker-manager',
    '    config:',
    ...['host: 127.0.0.1', 'port: 0', 'max_message_bytes: 1048576', ...UNLIMITED, ...more].map((line) => `      ${line}`),
  ].join('\n');
}

/** Returns the configuration. Its deadlines are short, because the hostile worker leaves many calls unanswered. */
function configOf(kind: StoreKind, url: string): string {
  return `workers:
  - name: iii-observability
    config: { level: error, format: json }
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: 0, max_message_bytes: 1048576 }
${guestListener([
  'rbac:',
  '  auth_function_id: fz::guest',
  '  auth_timeout_ms: 1000',
  '  hook_timeout_ms: 300',
  '  on_function_registration_function_id: fz::hook',
  '  on_trigger_registration_function_id: fz::hook',
  '  on_trigger_type_registration_function_id: fz::hook',
])}
${guestListener(['middleware_function_id: fz::mw', 'rbac: { expose_functions: [match("stream::*"), match("fz::*")] }'])}
  - name: iii-stream
    config:
      host: 127.0.0.1
      port: 0
      auth_function: fz::auth
      expose_functions: [match("stream::*"), match("fz::*")]
      call_timeout_ms: 300
      max_calls_per_second: 1000000
      max_joins_per_second: 1000000
      max_frames_per_second: 1000000
      max_bytes_per_second: 1073741824
      auth_timeout_ms: 1000
      join_timeout_ms: 100
      backend_timeout_ms: 500
      backend_grace_ms: 500
      log_max_changes: 500
      log_max_bytes: 4194304
      tombstone_retention_ms: 2000
      idempotency_retention_ms: 2000
      adapter: ${adapterOf(kind, url, 'streams')}
  - name: iii-state
    config: { adapter: ${adapterOf(kind, url, 'state')} }
  - name: iii-pubsub
    config: {}
  - name: iii-http
    config: { host: 127.0.0.1, port: 0, default_timeout: 100 }
  - name: rivulet-admin
    config: { port: 0 }
`;
}
