import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { EventCounters } from '../../src/logging/event-counters.js';
import { systemClock } from '../../src/structures/clock.js';
import { AddressRanges } from '../../src/structures/ip-address.js';
import { ConnectionAdmission } from '../../src/transport/admission/connection-admission.js';
import { DescriptorReserve } from '../../src/transport/admission/descriptor-reserve.js';
import { type PlainRequest, PlainRequests } from '../../src/transport/plain/plain-requests.js';

const logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Starts a server whose handler answers nothing, and sends it requests on one connection without a pause. */
async function receive(count: number) {
  const received: PlainRequest[] = [];
  const counters = new EventCounters();
  const admission = new ConnectionAdmission({
    listener: 'stream',
    most: 8,
    mostWaitingPerAddress: 8,
    trustedProxies: new AddressRanges([]),
    descriptors: new DescriptorReserve(undefined),
    logger,
    counters,
  });
  const requests = new PlainRequests({
    listener: 'stream',
    plain: { listener: 'stream', paths: ['/'], status: 200 },
    handler: (plain) => received.push(plain) > 0,
    admission,
    describe: () => ({}) as PlainRequest['about'],
    isHostAllowed: () => true,
    clock: systemClock,
    logger,
    counters,
  });
  const server = createServer((request, response) => requests.receive(request, response));
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void client.destroy());
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count));
  await expect.poll(() => received.length).toBe(count);
  return { client, received };
}

const closed = (response: ServerResponse) => once(response, 'close');

it('each response of a connection that was cut is closed, those behind another one too', async () => {
  const { client, received } = await receive(3);
  const all = Promise.all(received.map(({ response }) => closed(response)));
  client.destroy();
  await all;
});

it('an answer takes its connection only while no other request of the connection waits', async () => {
  const { client, received } = await receive(2);
  const [first, second] = received as [PlainRequest, PlainRequest];
  expect([first.takeConnection(), second.takeConnection()]).toEqual([false, false]);
  const ended = closed(first.response);
  first.response.end();
  await ended;
  expect(second.takeConnection()).toBe(true);
  // The requests behind it get no answer, and the connection ends with it.
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(8));
  await once(client.resume(), 'close');
  expect(received).toHaveLength(2);
});
