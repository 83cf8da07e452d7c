import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { ChaosProxy, type Link } from '@rivulet/testkit/links/chaos-proxy';
import { Random } from '@rivulet/testkit/random';
import { afterEach, beforeEach, expect, it } from 'vitest';

let server: Server;
let proxy: ChaosProxy;
let accepted: Socket[];
let actions: string[];
let clients: Socket[];

beforeEach(async () => {
  accepted = [];
  actions = [];
  clients = [];
  server = createServer((socket) => accepted.push(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  proxy = await ChaosProxy.to({ host: '127.0.0.1', port: address.port }, new Random(1), (verb, on, how) =>
    actions.push(`${verb} ${on} ${how}`),
  );
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  for (const socket of accepted) socket.destroy();
  await proxy.close();
  server.close();
});

/** Connects a client through the proxy, and returns the server's end too. */
async function pair(): Promise<{ readonly client: Socket; readonly served: Socket; readonly link: Link }> {
  const client = connect(proxy.port, '127.0.0.1').on('error', () => {});
  clients.push(client);
  const served = (await once(server, 'connection')) as [Socket];
  return { client, served: served[0], link: [...proxy.links].at(-1) as Link };
}

/** Resolves when the socket has closed. Unlike `once`, it does not reject after an error. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Reads until this number of bytes has arrived. */
async function take(socket: Socket, bytes: number): Promise<{ readonly text: string; readonly pieces: number }> {
  let text = '';
  let pieces = 0;
  for await (const [data] of socketData(socket)) {
    text += (data as Buffer).toString();
    pieces++;
    if (text.length >= bytes) break;
  }
  return { text, pieces };
}

async function* socketData(socket: Socket) {
  for (;;) yield await once(socket, 'data');
}

it('carries bytes both ways as they are', async () => {
  const { client, served } = await pair();
  client.write('question');
  expect((await take(served, 8)).text).toBe('question');
  served.write('answer');
  expect((await take(client, 6)).text).toBe('answer');
});

it('latency: what is written arrives that much later, in order', async () => {
  const { client, served, link } = await pair();
  proxy.latency(80, 30, link);
  const begun = performance.now();
  for (let n = 0; n < 5; n++) served.write(`${n};`);
  expect((await take(client, 10)).text).toBe('0;1;2;3;4;');
  expect(performance.now() - begun).toBeGreaterThan(45);
  expect(actions).toEqual(['latency link1 80 ± 30 ms']);
});

it('bandwidth: the rate stays below the limit', async () => {
  const { client, served } = await pair();
  proxy.bandwidth(20_000);
  const begun = performance.now();
  served.write('x'.repeat(4_000));
  await take(client, 4_000);
  expect(performance.now() - begun).toBeGreaterThan(120);
});

it('slice: everything comes in pieces', async () => {
  const { client, served } = await pair();
  client.setNoDelay(true);
  proxy.slice(10);
  served.write('y'.repeat(200));
  const { text, pieces } = await take(client, 200);
  expect(text).toBe('y'.repeat(200));
  expect(pieces).toBeGreaterThan(3);
});

it('blackhole: nothing arrives and neither side notices; heal resets links that lost bytes', async () => {
  const { client, served, link } = await pair();
  proxy.blackhole('down', link);
  let came = '';
  client.on('data', (data) => (came += data.toString()));
  served.write('lost');
  client.write('still heard');
  expect((await take(served, 11)).text).toBe('still heard');
  expect([came, client.destroyed]).toEqual(['', false]);
  const gone = closed(client);
  proxy.heal();
  await gone;
  expect(came).toBe('');
});

it('reset: both ends are reset', async () => {
  const { client, served } = await pair();
  const ended = Promise.all([closed(client), closed(served)]);
  const failed = new Promise<NodeJS.ErrnoException>((resolve) => client.once('error', resolve));
  proxy.reset();
  await ended;
  expect((await failed).code).toBe('ECONNRESET');
});

it('cutAfter: exactly that number of bytes arrives, then the end', async () => {
  const { client, served } = await pair();
  proxy.cutAfter(5);
  let came = '';
  client.on('data', (data) => (came += data.toString()));
  const gone = closed(client);
  served.write('123456789');
  await gone;
  expect(came).toBe('12345');
});

it('refuse: no new connection succeeds until the proxy is healed', async () => {
  proxy.refuse();
  const refused = connect(proxy.port, '127.0.0.1').on('error', () => {});
  await closed(refused);
  proxy.heal();
  await pair();
  expect(actions).toEqual(['refuse new ', 'heal all ']);
});
