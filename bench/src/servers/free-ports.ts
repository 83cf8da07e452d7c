import { once } from 'node:events';
import { createServer } from 'node:net';
import type { ServerPorts } from './server-options.js';

const LOWEST = 10_000;
/** The tests take their ports from here on. They may run beside the bench. */
const HIGHEST = 12_000;
/** Ports that this process has got. Their servers may not have started yet. */
const taken = new Set<number>();

/**
 * Returns two ports without a listener, outside the range that the kernel gives to clients. Otherwise a client of a stopped server could
 * connect to itself.
 */
export async function freePorts(): Promise<ServerPorts> {
  return { worker: await freePort(), stream: await freePort() };
}

export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (taken.has(port)) continue;
    const server = createServer();
    server.listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    server.close();
    await once(server, 'close');
    taken.add(port);
    return port;
  }
}
