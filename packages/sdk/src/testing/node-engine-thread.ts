import { Worker } from 'node:worker_threads';
import { TestEngineError } from './errors.js';
import type { EngineRequest, FromThread, Started, TestLogLine, ToThread } from './messages.js';

/** Apart from its use, because Vite makes an asset of a file whose address is built in one place. A test of a simulated page may do so. */
const HERE = import.meta.url;

interface Pending {
  readonly resolve: (value: Started | undefined) => void;
  readonly reject: (error: TestEngineError) => void;
}

/**
 * The thread that runs the engines of this process. It starts with the first engine. The process can end while it runs: only a request
 * without an answer keeps the process alive.
 */
export class EngineThread {
  static #current: EngineThread | undefined;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #logs = new Map<number, (line: TestLogLine) => void>();
  #requests = 0;
  #engines = 0;
  /** Engines that run or start. */
  readonly #open = new Set<number>();

  private constructor() {
    // oxlint-disable-next-line eslint/no-restricted-globals -- both parts are constants of this module
    const main = new URL('./node-thread-main.js', HERE);
    // The options of the test runner, such as loaders, are not for the engine.
    this.#worker = new Worker(main, { name: 'rivulet-test-engines', execArgv: [] });
    this.#worker.unref();
    this.#worker.on('message', (message: FromThread) => this.#receive(message));
    this.#worker.on('error', (error) => this.#end(error instanceof Error ? error.message : String(error)));
    this.#worker.on('exit', () => this.#end('the thread of the engine has ended'));
  }

  static get(): EngineThread {
    EngineThread.#current ??= new EngineThread();
    return EngineThread.#current;
  }

  /** Adds an engine and returns its number. The caller must start it next. */
  add(log: ((line: TestLogLine) => void) | undefined): number {
    const engine = ++this.#engines;
    this.#open.add(engine);
    if (log !== undefined) this.#logs.set(engine, log);
    return engine;
  }

  remove(engine: number): void {
    this.#open.delete(engine);
    this.#logs.delete(engine);
  }

  request(engine: number, request: EngineRequest): Promise<Started | undefined> {
    const id = ++this.#requests;
    if (EngineThread.#current !== this) return Promise.reject(new TestEngineError('STOPPED', 'the engine has ended; start another one'));
    if (this.#pending.size === 0) this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id, engine } satisfies ToThread);
    });
  }

  #receive(message: FromThread): void {
    if (message.kind === 'log') return this.#logs.get(message.engine)?.(message.line);
    if (message.kind === 'idle') return this.#endIdle();
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if (message.kind === 'done') pending?.resolve(message.value);
    else pending?.reject(new TestEngineError(message.code, message.message));
  }

  #endIdle(): void {
    if (this.#open.size > 0) return;
    if (EngineThread.#current === this) EngineThread.#current = undefined;
    this.#worker.terminate().catch(() => {});
  }

  #end(cause: string): void {
    if (EngineThread.#current === this) EngineThread.#current = undefined;
    for (const { reject } of this.#pending.values()) reject(new TestEngineError('ENGINE_FAILED', cause));
    this.#pending.clear();
  }
}
