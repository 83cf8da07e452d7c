import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { Inbox } from './inbox.js';

interface Link {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Resolves when the server has ended its side. */
  readonly ended: Promise<void>;
}

/** Stands between clients and a server, and can lose a client without telling the server. */
export class HalfOpenProxy {
  readonly links = new Inbox<Link>();
  readonly url: string;

  private constructor(url: string) {
    this.url = url;
  }

  static async to(target: string): Promise<HalfOpenProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer((client) => {
      const upstream = connect(Number(port), hostname);
      const ended = new Promise<void>((resolve) => upstream.once('close', () => resolve()));
      for (const socket of [client, upstream]) socket.on('error', () => {});
      client.on('data', (data) => upstream.write(data));
      upstream.on('data', (data) => void (client.destroyed || client.write(data)));
      upstream.once('close', () => client.destroy());
      proxy.links.push({ client, upstream, ended });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
      for (const { client, upstream } of proxy.links.all) {
        client.destroy();
        upstream.destroy();
      }
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    const proxy = new HalfOpenProxy(`ws://127.0.0.1:${address.port}`);
    return proxy;
  }

  /** The next connection that has not been asked for yet. */
  next(): Promise<Link> {
    return this.links.take(() => true, 'a connection');
  }
}
