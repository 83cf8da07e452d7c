import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Inbox } from '@rivulet/testkit/inbox';
import { onTestFinished } from 'vitest';
import { PYTHON_SDKS, type PythonSdk, pythonClient, rustClient } from '../../../../scripts/set-up/language-clients.mjs';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const PYTHON_WORKER = fileURLToPath(new URL('./python-worker.py', import.meta.url));

/** An official SDK of another language than ours. */
export type LanguageSdk = `python ${PythonSdk}` | 'rust 0.25.0';

export const PYTHON_LANGUAGE_SDKS = PYTHON_SDKS.map((version) => `python ${version}` as const);

/** Why tests of this SDK can't run here; `undefined` when they can. */
export function missingSdk(sdk: LanguageSdk): string | undefined {
  const client = clientOf(sdk);
  return 'missing' in client ? client.missing : undefined;
}

function clientOf(sdk: LanguageSdk) {
  return sdk === 'rust 0.25.0' ? rustClient(ROOT, 'rust-worker') : pythonClient(ROOT, versionOf(sdk));
}

const versionOf = (sdk: Exclude<LanguageSdk, 'rust 0.25.0'>) => sdk.slice('python '.length) as PythonSdk;

export interface Seen {
  /** A function that records, or `bound`, `unbound`, `backend`. */
  readonly seen: string;
  readonly data: unknown;
  readonly metadata: unknown;
}

interface Answer {
  readonly n: number;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

type Line = Seen | Answer | { readonly ready: true };

/** What a failed command gave: the error of the SDK with its code. */
export class LanguageError extends Error {
  readonly code: string;

  constructor({ code, message }: { readonly code: string; readonly message: string }) {
    super(message);
    this.code = code;
  }
}

/** What the functions of a test do: answer `{ got, metadata }`, nothing, an error, `{ unauthorized: true }`, or report that they ran. */
export type Behaviour = 'echo' | 'nothing' | 'fail' | 'refuse' | 'record';

export interface LanguageWorkerOptions {
  readonly name?: string;
  /** Default: telemetry is off. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A worker in a process of its own, on an official SDK, told what to do by a test. Ended when the test ends. */
export class LanguageWorker {
  readonly sdk: LanguageSdk;
  readonly seen = new Inbox<Seen>();
  /** Everything that it wrote to stderr. */
  log = '';
  readonly #child: ChildProcess;
  readonly #answers = new Inbox<Answer>();
  #commands = 0;

  private constructor(sdk: LanguageSdk, child: ChildProcess) {
    this.sdk = sdk;
    this.#child = child;
  }

  static async connect(sdk: LanguageSdk, url: string, options: LanguageWorkerOptions = {}): Promise<LanguageWorker> {
    const worker = LanguageWorker.#spawn(sdk, url, options);
    await worker.#answers.take(({ n }) => n === 0, `the start of ${sdk}`);
    // The SDKs announce themselves before or after what they register; the second answer comes after both.
    await worker.settled();
    await worker.settled();
    return worker;
  }

  static #spawn(sdk: LanguageSdk, url: string, { name = sdk, env = { OTEL_ENABLED: 'false' } }: LanguageWorkerOptions): LanguageWorker {
    const client = clientOf(sdk);
    if ('missing' in client) throw new Error(client.missing);
    const args = sdk === 'rust 0.25.0' ? [url, name] : ['-u', PYTHON_WORKER, url, name];
    const version = sdk.split(' ')[1];
    const child = spawn(client.program, args, {
      env: { ...process.env, SDK_VERSION: version, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const worker = new LanguageWorker(sdk, child);
    child.stderr.on('data', (data: Buffer) => {
      worker.log += data.toString();
    });
    createInterface({ input: child.stdout }).on('line', (line) => worker.#receive(JSON.parse(line) as Line));
    // A worker that is gone can't be told anything; the command that waits for its answer says so.
    child.stdin.on('error', () => {});
    onTestFinished(() => worker.kill());
    return worker;
  }

  #receive(line: Line): void {
    if ('ready' in line) this.#answers.push({ n: 0 });
    else if ('seen' in line) this.seen.push(line);
    else this.#answers.push(line);
  }

  async #command(command: Readonly<Record<string, unknown>>): Promise<unknown> {
    const n = ++this.#commands;
    this.#child.stdin?.write(`${JSON.stringify({ n, ...command })}\n`);
    const answer = await this.#answers.take(
      (each) => each.n === n,
      `the answer of ${this.sdk} to ${JSON.stringify(command).slice(0, 200)}`,
    );
    if (answer.error !== undefined) throw new LanguageError(answer.error);
    return answer.result;
  }

  /** `payload` of `undefined`: the SDK is given none. Python sends no `data` then, Rust always does. */
  call(id: string, payload: unknown, more: { readonly metadata?: unknown; readonly timeout_ms?: number } = {}): Promise<unknown> {
    return this.#command({ do: 'call', id, payload, ...more });
  }

  async callVoid(id: string, payload: unknown): Promise<void> {
    await this.#command({ do: 'void', id, payload });
  }

  /** Resolves when the engine knows the function. */
  async serve(id: string, as: Behaviour): Promise<void> {
    await this.#command({ do: 'serve', id, as });
    await this.settled();
  }

  async unserve(id: string): Promise<void> {
    await this.#command({ do: 'unserve', id });
    await this.settled();
  }

  /** Binds a trigger; answers what unbinds it. */
  async bind(type: string, id: string, config: unknown, metadata?: unknown): Promise<() => Promise<void>> {
    const handle = `trigger-${this.#commands}`;
    await this.#command({ do: 'bind', handle, type, id, config, metadata });
    await this.settled();
    return async () => {
      await this.#command({ do: 'unbind', handle });
      await this.settled();
    };
  }

  /** Provides a trigger type; its bindings are seen as `bound` and `unbound`. */
  async provide(type: string): Promise<void> {
    await this.#command({ do: 'provide', type });
    await this.settled();
  }

  /** Keeps a stream in memory of its own; each operation is seen as `backend`. */
  async createStream(name: string): Promise<void> {
    await this.#command({ do: 'create_stream', name });
    await this.settled();
  }

  /** Since 0.25, Python only: the state of a new observer, and its reason. */
  async observe(source: string, target: string): Promise<string> {
    return String(await this.#command({ do: 'observe', source, target }));
  }

  /** What the SDK says of its connection. */
  async state(): Promise<string> {
    return String(await this.#command({ do: 'state' }));
  }

  took(id: string, also: (seen: Seen) => boolean = () => true): Promise<Seen> {
    return this.seen.take((each) => each.seen === id && also(each), `a run of ${id}`);
  }

  /** The engine has handled every frame sent so far: one connection's frames are processed in order. */
  async settled(): Promise<void> {
    await this.call('engine::health::check', {});
  }

  /** The end of its input makes it shut down. */
  async close(): Promise<void> {
    if (this.#gone) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }

  async kill(): Promise<void> {
    if (this.#gone) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  get #gone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
