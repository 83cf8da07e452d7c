import { createServer, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';

/** A proxy replaces `X-Forwarded-For` by the address of its client, appends that address, leaves the header, or removes it. */
export type Forwarding = 'set' | 'append' | 'leave' | 'remove';

const NAME = 'x-forwarded-for';

/** Starts a proxy that passes WebSockets to one of the targets, in turn. Returns its URL. It stops when the test ends. */
export async function startForwardingProxy(forwarding: Forwarding, ...targets: readonly string[]): Promise<string> {
  const sockets = new Set<Duplex>();
  let connections = 0;
  const server = createServer().on('upgrade', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    const { hostname, port } = new URL(targets[connections++ % targets.length] ?? '');
    const upstream = connect(Number(port), hostname);
    upstream.write(`GET ${request.url} HTTP/1.1\r\n${headLines(request, forwarding)}\r\n`);
    upstream.write(head);
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return `http://127.0.0.1:${address.port}`;
}

function headLines({ headers, socket }: IncomingMessage, forwarding: Forwarding): string {
  const { [NAME]: before, ...others } = headers;
  const peer = socket.remoteAddress ?? '';
  const line = {
    set: peer,
    append: before === undefined ? peer : `${String(before)}, ${peer}`,
    leave: before === undefined ? undefined : String(before),
    remove: undefined,
  }[forwarding];
  const lines = Object.entries(line === undefined ? others : { ...others, [NAME]: line });
  return lines.map(([name, value]) => `${name}: ${String(value)}\r\n`).join('');
}
