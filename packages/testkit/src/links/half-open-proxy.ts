import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { Inbox } from '../inbox.js';

interface Link {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Resolves when the server has ended its side. */
  readonly ended: Promise<void>;
}

/**
 * A TCP proxy between clients and a server. It can drop a client without closing the connection to the server. While the server is
 * unavailable, the proxy keeps clients waiting.
 */
export class HalfOpenProxy {
  readonly links = new Inbox<Link>();
  readonly url: string;

  private constructor(url: string) {
    this.url = url;
  }

  static async to(target: string): Promise<HalfOpenProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer((client) => void link(client));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    const proxy = new HalfOpenProxy(`ws://127.0.0.1:${address.port}`);
    const sockets = new Set<Socket>();
    onTestFinished(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    async function link(client: Socket): Promise<void> {
      sockets.add(client.on('error', () => {}));
      const upstream = await connectToServer(Number(port), hostname, client);
      if (upstream === undefined) return;
      sockets.add(upstream.on('error', () => {}));
      const ended = new Promise<void>((resolve) => upstream.once('close', () => resolve()));
      client.on('data', (data) => upstream.write(data));
      upstream.on('data', (data) => void (client.destroyed || client.write(data)));
      upstream.once('close', () => client.end());
      proxy.links.push({ client, upstream, ended });
    }
    return proxy;
  }

  /** Resolves with the next connection that `next` has not returned yet. */
  next(): Promise<Link> {
    return this.links.take(() => true, 'a connection');
  }
}

/** Connects to the server and retries while the server is unavailable. Resolves with undefined if the client disconnects first. */
async function connectToServer(port: number, host: string, client: Socket): Promise<Socket | undefined> {
  while (!client.destroyed) {
    const socket = connect(port, host);
    try {
      await once(socket, 'connect');
      return socket;
    } catch {
      await pause(50);
    }
  }
  return undefined;
}
