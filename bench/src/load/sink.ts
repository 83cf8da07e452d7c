import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Dialect } from './dialects.js';

/** Many subscribers in a process that does nothing but count frames. */
export class Sink {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    if (child.pid === undefined || child.stdout === null) throw new Error('the sink did not start');
    this.pid = child.pid;
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves when all `count` subscriptions are live. */
  static async open(binary: string, dialect: Dialect, base: string, group: string, count: number): Promise<Sink> {
    const url = new URL(dialect.watchUrl(base, group));
    const parameters = [url.hostname, url.port, url.pathname + url.search, String(count), ...dialect.sinkScript(group)];
    const sink = new Sink(spawn(binary, parameters, { stdio: ['pipe', 'pipe', 'inherit'] }));
    await sink.#line();
    return sink;
  }

  /** Data frames since the subscriptions went live. */
  async frames(): Promise<number> {
    this.#child.stdin?.write('frames\n');
    return Number(await this.#line());
  }

  close(): void {
    this.#child.stdin?.end();
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the sink ended');
    return value;
  }
}
