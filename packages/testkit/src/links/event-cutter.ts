import { connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Random } from '../random.js';

export interface EventCutterOptions {
  readonly random: Random;
  /** Most events of one connection before the proxy cuts it. */
  readonly cutWithin: number;
  /** Milliseconds after which clients connect again. The proxy adds the line `retry:` to each stream, because browsers wait for seconds. */
  readonly retryMs: number;
}

const HEAD_END = '\r\n\r\n';
const NEWLINE = 10;

/** A TCP proxy that ends connections of event streams right behind a random event. One cut in two is a reset. */
export class EventCutter {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #options: EventCutterOptions;
  #open = 0;
  #wakers: (() => void)[] = [];
  /** Whether the proxy still cuts. */
  cutting = true;
  cuts = 0;

  private constructor(target: URL, options: EventCutterOptions) {
    this.#options = options;
    this.#server = createServer((client) => this.#link(client, target));
  }

  /** Listens on a free port until the test ends. `target`: the URL of the engine. */
  static async to(target: string, options: EventCutterOptions): Promise<EventCutter> {
    const cutter = new EventCutter(new URL(target), options);
    await new Promise<void>((resolve) => cutter.#server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      cutter.#server.close();
      for (const socket of cutter.#sockets) socket.destroy();
    });
    return cutter;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Resolves when at least this number of event streams have begun and are open. */
  async whenOpen(count: number): Promise<void> {
    while (this.#open < count) await new Promise<void>((resolve) => this.#wakers.push(resolve));
  }

  #link(client: Socket, target: URL): void {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket.on('error', () => {}));
      socket.once('close', () => this.#sockets.delete(socket));
    }
    client.pipe(upstream);
    upstream.once('close', () => client.end());
    client.once('close', () => upstream.destroy());
    const { random, cutWithin, retryMs } = this.#options;
    let left = random.between(1, cutWithin);
    let head: Buffer | undefined = Buffer.alloc(0);
    let last = 0;
    const forward = (bytes: Buffer) => {
      for (const [index, byte] of bytes.entries()) {
        const isEnd = byte === NEWLINE && last === NEWLINE;
        last = isEnd ? 0 : byte;
        if (!isEnd || --left > 0 || !this.cutting) continue;
        this.cuts++;
        client.write(bytes.subarray(0, index + 1));
        upstream.destroy();
        if (random.chance(0.5)) client.end();
        else client.resetAndDestroy();
        return;
      }
      client.write(bytes);
    };
    upstream.on('data', (data) => {
      if (upstream.destroyed || client.destroyed) return;
      if (head === undefined) return forward(data);
      head = Buffer.concat([head, data]);
      const end = head.indexOf(HEAD_END);
      if (end < 0) return;
      const body = end + HEAD_END.length;
      client.write(head.subarray(0, body));
      client.write(`retry: ${retryMs}\n\n`);
      const rest = head.subarray(body);
      head = undefined;
      this.#begin(client);
      if (rest.length > 0) forward(rest);
    });
  }

  #begin(client: Socket): void {
    this.#open++;
    client.once('close', () => this.#open--);
    for (const wake of this.#wakers.splice(0)) wake();
  }
}
