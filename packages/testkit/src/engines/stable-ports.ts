import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

interface PortRange {
  readonly from: number;
  /** The first port behind the range. */
  readonly to: number;
}

/**
 * The range ends below the ports that systems assign by themselves (Linux begins at 32768). Otherwise another process could get a port
 * while its engine restarts. The bench takes its ports below this range.
 */
const RANGE: PortRange = { from: 12_000, to: 32_000 };
const MOST_LOCKS = 200;

/** Locks of the ports that this process got last, oldest first. */
const locks: Socket[] = [];

/**
 * Returns different free ports for a server that is stopped and started again on them. No other test process gets one of them while this
 * process runs, also when no server listens: for instance before the start of the server. A UDP socket with the number of the port is the
 * lock, because the kernel removes it with the process. The last `MOST_LOCKS` ports are locked.
 */
export async function stablePorts<const Name extends string>(names: readonly Name[], range = RANGE): Promise<Record<Name, number>> {
  const ports: [string, number][] = [];
  for (const name of names) ports.push([name, await lockPort(range)]);
  return Object.fromEntries(ports) as Record<Name, number>;
}

async function lockPort({ from, to }: PortRange): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(from, to);
    const lock = createSocket('udp4');
    if (!(await opens(lock, 'listening', () => lock.bind({ port, address: '127.0.0.1', exclusive: true })))) continue;
    const server = createServer();
    if (!(await opens(server, 'listening', () => server.listen(port, '127.0.0.1')))) {
      lock.close();
      continue;
    }
    await once(server.close(), 'close');
    locks.push(lock.unref());
    if (locks.length > MOST_LOCKS) locks.shift()?.close();
    return port;
  }
  throw new Error(`no free port from ${from} to ${to}`);
}

/** Resolves with whether the socket got its port. */
function opens(socket: Socket | Server, event: 'listening', open: () => void): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once('error', () => resolve(false));
    socket.once(event, () => resolve(true));
    open();
  });
}
