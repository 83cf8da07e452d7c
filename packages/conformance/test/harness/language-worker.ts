import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Inbox } from '@rivulet/testkit/inbox';
import { onTestFinished } from 'vitest';
import { PYTHON_SDKS, type PythonSdk, pythonClient, rustClient } from '../../../../scripts/set-up/language-clients.mjs';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const PYTHON_WORKER = fileURLToPath(new URL('./python-worker.py', import.meta.url));

/** An official SDK of another language. */
export type LanguageSdk = `python ${PythonSdk}` | 'rust 0.25.0';

export const PYTHON_LANGUAGE_SDKS = PYTHON_SDKS.map((version) => `python ${version}` as const);

/** Returns why tests of this SDK can't run on this machine, or `undefined` if they can. */
export function missingSdk(sdk: LanguageSdk): string | undefined {
  const client = clientOf(sdk);
  return 'missing' in client ? client.missing : undefined;
}

function clientOf(sdk: LanguageSdk) {
  return sdk === 'rust 0.25.0' ? rustClient(ROOT, 'rust-worker') : pythonClient(ROOT, versionOf(sdk));
}

const versionOf = (sdk: Exclude<LanguageSdk, 'rust 0.25.0'>) => sdk.slice('python '.length) as PythonSdk;

export interface Seen {
  /** The id of the function that ran, or `bound`, `unbound` or `backend`. */
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

/** The error of a failed command, with the code of the SDK. */
export class LanguageError extends Error {
  readonly code: string;

  constructor({ code, message }: { readonly code: string; readonly message: string }) {
    super(message);
    this.code = code;
  }
}

/**
 * The behaviour of a test function.
 *
 * - `echo`: returns `{ got, metadata }`.
 * - `nothing`: returns nothing.
 * - `fail`: throws.
 * - `refuse`: returns `{ unauthorized: true }`.
 * - `record`: reports that it ran.
 */
export type Behaviour = 'echo' | 'nothing' | 'fail' | 'refuse' | 'record';

export interface LanguageWorkerOptions {
  readonly name?: string;
  /** @default telemetry is off */
  readonly env?: Readonly<Record<string, string>>;
}

/** A worker process on an official SDK. The test sends it commands. It ends when the test ends. */
export class LanguageWorker {
  readonly sdk: LanguageSdk;
  readonly seen = new Inbox<Seen>();
  /** The text that the worker printed to stderr. */
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
    // An SDK announces itself before or after its registrations. The second answer comes after both.
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
    // A worker that has ended accepts no command. The command that waits for its answer fails with the reason.
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

  /** Calls a function. If `payload` is `undefined`, the SDK gets none. Then Python sends no `data`, and Rust sends `null`. */
  call(id: string, payload: unknown, more: { readonly metadata?: unknown; readonly timeout_ms?: number } = {}): Promise<unknown> {
    return this.#command({ do: 'call', id, payload, ...more });
  }

  async callVoid(id: string, payload: unknown): Promise<void> {
    await this.#command({ do: 'void', id, payload });
  }

  /** Registers a function. Resolves when the engine has it. */
  async serve(id: string, as: Behaviour): Promise<void> {
    await this.#command({ do: 'serve', id, as });
    await this.settled();
  }

  async unserve(id: string): Promise<void> {
    await this.#command({ do: 'unserve', id });
    await this.settled();
  }

  /** Binds a trigger. Returns a function that unbinds it. */
  async bind(type: string, id: string, config: unknown, metadata?: unknown): Promise<() => Promise<void>> {
    const handle = `trigger-${this.#commands}`;
    await this.#command({ do: 'bind', handle, type, id, config, metadata });
    await this.settled();
    return async () => {
      await this.#command({ do: 'unbind', handle });
      await this.settled();
    };
  }

  /** Provides a trigger type. Its bindings are reported as `bound` and `unbound`. */
  async provide(type: string): Promise<void> {
    await this.#command({ do: 'provide', type });
    await this.settled();
  }

  /** Serves a stream from memory. Each operation is reported as `backend`. */
  async createStream(name: string): Promise<void> {
    await this.#command({ do: 'create_stream', name });
    await this.settled();
  }

  /** Makes an observer and returns its state with the reason. Only the SDK for Python has it, since 0.25. */
  async observe(source: string, target: string): Promise<string> {
    return String(await this.#command({ do: 'observe', source, target }));
  }

  /** Returns the state of the connection, as the SDK gives it. */
  async state(): Promise<string> {
    return String(await this.#command({ do: 'state' }));
  }

  took(id: string, also: (seen: Seen) => boolean = () => true): Promise<Seen> {
    return this.seen.take((each) => each.seen === id && also(each), `a run of ${id}`);
  }

  /** Resolves when the engine has handled every frame sent so far. It handles the frames of one connection in order. */
  async settled(): Promise<void> {
    await this.call('engine::health::check', {});
  }

  /** Ends the input of the worker, which makes it shut down. */
  async close(): Promise<void> {
    if (this.#hasEnded) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }

  async kill(): Promise<void> {
    if (this.#hasEnded) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
