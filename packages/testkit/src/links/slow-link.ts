import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

const SLICE_MS = 50;

/**
 * Returns a URL that leads to `target` over a slow link. It carries `bytesPerSecond` towards the client, and has no limit towards the
 * server. A function may return another speed each time.
 */
export async function slowLink(target: string, bytesPerSecond: number | (() => number)): Promise<string> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
    client.pipe(upstream);
    const timer = setInterval(() => {
      const speed = typeof bytesPerSecond === 'number' ? bytesPerSecond : bytesPerSecond();
      const slice = upstream.read(Math.min(upstream.readableLength, (speed * SLICE_MS) / 1_000)) as Buffer | null;
      if (slice !== null && slice.length > 0) client.write(slice);
    }, SLICE_MS);
    // Without a listener the socket would not read its first bytes.
    upstream.on('readable', () => {});
    upstream.once('close', () => {
      clearInterval(timer);
      client.destroy();
    });
    client.once('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the link has no port');
  return `ws://127.0.0.1:${address.port}`;
}
