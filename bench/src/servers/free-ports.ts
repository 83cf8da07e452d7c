import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import type { ServerPorts } from './server-options.js';

const LOWEST = 10_000;
const EPHEMERAL_FROM = 32_768;

/**
 * Returns two ports without a listener, outside the range that the kernel gives to clients. Otherwise a client of a stopped server could
 * connect to itself.
 */
export async function freePorts(): Promise<ServerPorts> {
  return { worker: await freePort(), stream: await freePort() };
}

export async function freePort(): Promise<number> {
  const highest = firstEphemeral() - 1;
  for (;;) {
    const server = createServer();
    server.listen(LOWEST + Math.floor(Math.random() * (highest - LOWEST)), '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }
}

function firstEphemeral(): number {
  try {
    return Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);
  } catch {
    return EPHEMERAL_FROM;
  }
}
