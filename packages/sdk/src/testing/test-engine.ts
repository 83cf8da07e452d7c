import { TestEngineError } from './errors.js';
import type { ConfigKeys, Started, StartRequest, TestLogLine } from './messages.js';
import { EngineThread } from './node-engine-thread.js';

/** Options of a test engine. Without any, it has the defaults of every key, and no rules of access. */
export interface TestEngineOptions {
  /**
   * Path of a configuration file, such as the one of production. Its ports and its stores do not count: all ports are free ones, and all
   * stores are in memory. Excludes the four sections below.
   * @default no file
   */
  readonly config?: string;
  /** Keys of `rivulet-stream`, such as `{ auth_function: 'app::auth' }`. @default {} */
  readonly streams?: ConfigKeys;
  /** Keys of `rivulet-worker-manager`. @default {} */
  readonly workers?: ConfigKeys;
  /** Keys of `rivulet-http`. @default {} */
  readonly http?: ConfigKeys;
  /** Keys of `rivulet-state`. @default {} */
  readonly state?: ConfigKeys;
  /** Unix milliseconds at which the clock begins. @default the time of the system, in whole milliseconds */
  readonly now?: number;
  /** Takes each line of the log of the engine. @default the log is dropped */
  readonly log?: (line: TestLogLine) => void;
}

/**
 * An engine in memory, for the tests of workers and pages. It runs in a thread of its own and listens on free loopback ports.
 *
 * Its clock stands still until the test calls `advance`. Times to live, leases, time-outs of calls, the retention of idempotency keys and
 * the end of tokens follow this clock. Sockets, pings and rates follow the real time.
 */
export interface TestEngine {
  /** URL for `registerWorker`: the first worker listener. */
  readonly workerUrl: string;
  /** URLs of all worker listeners, in the order of the configuration. */
  readonly workerUrls: readonly string[];
  /** URL for `connect`. Throws when the configuration has no `rivulet-stream`. */
  readonly streamUrl: string;
  /** URL of the HTTP triggers. Throws when the configuration has no `rivulet-http`. */
  readonly httpUrl: string;
  /** Returns the time of the engine in Unix milliseconds. */
  now(): number;
  /**
   * Moves the clock by whole milliseconds. Everything that becomes due takes effect in order. Resolves when the clients have received what
   * changed, or after 10 s.
   */
  advance(milliseconds: number): Promise<void>;
  /**
   * Resolves when no call runs, no trigger waits, and each client and worker has received everything. Rejects with `NOT_SETTLED` after 10 s
   * of real time.
   */
  settled(): Promise<void>;
  /** Stops the engine. Nothing of it remains in the process. Idempotent. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts an engine for a test. Several can run at the same time. Rejects with a `TestEngineError` that says what to do. */
export async function startTestEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  const request = requestOf(options);
  const thread = EngineThread.get();
  const engine = thread.add(options.log);
  let started: Started | undefined;
  try {
    started = await thread.request(engine, { kind: 'start', options: request });
  } catch (error) {
    thread.remove(engine);
    throw error;
  }
  return new RunningTestEngine(thread, engine, started as Started, request.now);
}

const OPTIONS = new Set(['config', 'streams', 'workers', 'http', 'state', 'now', 'log']);

function requestOf(options: TestEngineOptions): StartRequest {
  const { config, now = Date.now(), log } = options;
  const unknown = Object.keys(options).find((name) => !OPTIONS.has(name));
  if (unknown !== undefined) throw invalid(`there is no option ${unknown}; the options are ${Array.from(OPTIONS).join(', ')}`);
  if (!Number.isSafeInteger(now) || now < 0) throw invalid('now must be a time in Unix milliseconds, such as Date.now()');
  const common = { cwd: process.cwd(), env: { ...process.env }, now, isLogged: log !== undefined };
  if (config === undefined) return { ...common, file: undefined, text: sectionsText(options) };
  if ([options.streams, options.workers, options.http, options.state].some((section) => section !== undefined))
    throw invalid('give either config or sections (streams, workers, http, state); a file has its own sections');
  return { ...common, file: config, text: undefined };
}

/** Returns the text of a configuration file with these sections. JSON is YAML. */
function sectionsText({ streams = {}, workers = {}, http = {}, state = {} }: TestEngineOptions): string {
  const sections = [
    { name: 'rivulet-worker-manager', config: workers },
    { name: 'rivulet-stream', config: streams },
    { name: 'rivulet-state', config: state },
    { name: 'rivulet-pubsub' },
    { name: 'rivulet-http', config: http },
  ];
  return JSON.stringify({ workers: sections }, undefined, 2);
}

function invalid(message: string): TestEngineError {
  return new TestEngineError('INVALID_ARGUMENTS', message);
}

class RunningTestEngine implements TestEngine {
  readonly workerUrls: readonly string[];
  readonly #thread: EngineThread;
  readonly #engine: number;
  readonly #started: Started;
  #now: number;
  #stopping: Promise<void> | undefined;

  constructor(thread: EngineThread, engine: number, started: Started, now: number) {
    this.#thread = thread;
    this.#engine = engine;
    this.#started = started;
    this.#now = now;
    this.workerUrls = started.workers;
  }

  get workerUrl(): string {
    return present(this.workerUrls[0], 'rivulet-worker-manager');
  }

  get streamUrl(): string {
    return present(this.#started.stream, 'rivulet-stream');
  }

  get httpUrl(): string {
    return present(this.#started.http, 'rivulet-http');
  }

  now(): number {
    return this.#now;
  }

  async advance(milliseconds: number): Promise<void> {
    if (!Number.isSafeInteger(milliseconds) || milliseconds < 0)
      throw invalid(`advance takes whole milliseconds from 0 on, not ${String(milliseconds)}; a clock does not go back`);
    await this.#request({ kind: 'advance', milliseconds });
    this.#now += milliseconds;
  }

  async settled(): Promise<void> {
    await this.#request({ kind: 'settle' });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    try {
      await this.#thread.request(this.#engine, { kind: 'stop' });
    } finally {
      this.#thread.remove(this.#engine);
    }
  }

  async #request(request: { readonly kind: 'advance'; readonly milliseconds: number } | { readonly kind: 'settle' }): Promise<void> {
    if (this.#stopping !== undefined) throw new TestEngineError('STOPPED', `the engine was stopped; call ${request.kind} before stop()`);
    await this.#thread.request(this.#engine, request);
  }
}

function present(url: string | undefined, name: string): string {
  if (url === undefined) throw new TestEngineError('INVALID_ARGUMENTS', `the configuration has no ${name}; add it to have this URL`);
  return url;
}
