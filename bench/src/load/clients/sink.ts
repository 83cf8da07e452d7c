import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Dialect } from './dialects.js';

export interface SinkOptions {
  readonly binary: string;
  readonly dialect: Dialect;
  readonly url: string;
  readonly group: string;
  readonly count: number;
  /** Bytes that each subscriber reads per second once it is subscribed. 0: it stops reading. @default no limit */
  readonly bytesPerSecond?: number;
}

/** Many subscribers in a process that only counts frames. */
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

  /** Resolves when all `count` clients are subscribed. */
  static async open(options: SinkOptions): Promise<Sink> {
    const { binary, dialect, url: base, group, count, bytesPerSecond } = options;
    const url = new URL(dialect.watchUrl(base, group));
    const parameters = [
      ...(bytesPerSecond === undefined ? [] : ['--slow', String(bytesPerSecond)]),
      url.hostname,
      url.port,
      url.pathname + url.search,
      String(count),
      ...dialect.sinkScript(group),
    ];
    const sink = new Sink(spawn(binary, parameters, { stdio: ['pipe', 'pipe', 'inherit'] }));
    await sink.#line();
    return sink;
  }

  /** Data frames since all clients were subscribed. */
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
