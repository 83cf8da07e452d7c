import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/**
 * Lowest port. The range ends below the ports that systems assign by themselves (Linux begins at 32768). Otherwise another process could
 * get a port while its engine restarts.
 */
const FROM = 12_000;
const TO = 32_000;

/** Returns different free ports for a server that is stopped and started again on them. */
export async function stablePorts<const Name extends string>(names: readonly Name[]): Promise<Record<Name, number>> {
  const held: Server[] = [];
  const ports: [string, number][] = [];
  // Each port stays open until all are found, so that none is found twice.
  for (const name of names) ports.push([name, await hold(held)]);
  await Promise.all(held.map((server) => once(server.close(), 'close')));
  return Object.fromEntries(ports) as Record<Name, number>;
}

async function hold(held: Server[]): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(FROM, TO);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    held.push(server);
    return port;
  }
  throw new Error(`no free port from ${FROM} to ${TO}`);
}
