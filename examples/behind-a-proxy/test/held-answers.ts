import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Inbox } from '@rivulet/testkit/inbox';
import { onTestFinished } from 'vitest';

/** Seconds for which nginx keeps a passed answer. It is longer than any pause of a busy machine. */
const KEPT_S = 600;

interface Held {
  readonly url: string;
  /** Seconds for which the engine lets nginx keep the answer. */
  readonly keptS: number;
  /** Passes the answer on. nginx keeps it for a long time, so that each reader that waits finds it. */
  readonly release: () => void;
}

/** A server between nginx and the engine. It holds each answer that has no changes until the test releases it. */
export class HeldAnswers {
  readonly held = new Inbox<Held>();
  readonly #enginePort: number;

  constructor(enginePort: number) {
    this.#enginePort = enginePort;
  }

  /** Opens the server. Resolves with its port. */
  async listen(): Promise<number> {
    const server = createServer(({ url = '', method, headers }, response) => {
      const passed = request({ port: this.#enginePort, host: '127.0.0.1', path: url, method, headers }, (answer) => {
        const { 'x-accel-expires': expires, ...others } = answer.headers;
        const pass = (more: object) => {
          // nginx below 1.23 obeys the first of two headers about caching.
          response.writeHead(answer.statusCode ?? 502, { ...more, ...others });
          answer.pipe(response);
        };
        if (expires === undefined) pass({});
        else this.held.push({ url, keptS: Number(expires), release: () => pass({ 'x-accel-expires': String(KEPT_S) }) });
      });
      passed.on('error', () => response.destroy());
      response.once('close', () => response.writableFinished || passed.destroy());
      passed.end();
    }).listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }
}
