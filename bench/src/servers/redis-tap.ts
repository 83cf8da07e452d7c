import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { RespReader } from './resp.js';

const PUBLISHED: readonly unknown[] = ['message', 'pmessage', 'smessage'];

/** Counts of the data that Redis has sent through the tap. */
export interface TapCounts {
  readonly bytes: number;
  /** Published messages. Answers are not counted. */
  readonly messages: number;
}

/** A proxy between an engine and its Redis. It forwards all bytes unchanged, and counts or records them. */
export class RedisTap {
  readonly url: string;
  readonly #server: Server;
  readonly #records: boolean;
  readonly #sockets = new Set<Socket>();
  readonly #recorded: string[][] = [];
  #bytes = 0;
  #messages = 0;

  private constructor(server: Server, port: number, records: boolean) {
    this.#server = server;
    this.#records = records;
    this.url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (near) => this.#join(near, connect({ host: '127.0.0.1', port, noDelay: true })));
  }

  /** Opens a tap. `port` is that of Redis. With `records` the tap keeps every command, which suits short runs only. */
  static async open(port: number, { records = false } = {}): Promise<RedisTap> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RedisTap(server, port, records);
  }

  counts(): TapCounts {
    return { bytes: this.#bytes, messages: this.#messages };
  }

  /** The words of every recorded command. */
  get commands(): readonly (readonly string[])[] {
    return this.#recorded;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  #join(near: Socket, far: Socket): void {
    const commands = new RespReader();
    const answers = new RespReader();
    near.on('data', (data) => {
      if (!this.#records) return;
      for (const words of commands.read(data)) if (Array.isArray(words)) this.#recorded.push(words.map(String));
    });
    far.on('data', (data) => {
      this.#bytes += data.length;
      for (const value of answers.read(data)) if (Array.isArray(value) && PUBLISHED.includes(value[0])) this.#messages += 1;
    });
    near.pipe(far);
    far.pipe(near);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      // The end of a killed process closes. Close the other end too, so that its process notices.
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
