import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { LIMITS } from '@rivulet/protocol';
import { expect, it } from 'vitest';
import { HttpReading, type HttpReadingDeps } from '../../src/stream/reading/http-reading.js';
import type { Answer } from '../../src/stream/reading/requests/answer.js';
import { ReadFigures } from '../../src/stream/reading/requests/read-figures.js';
import type { PlainRequest } from '../../src/transport/plain/plain-requests.js';
import { UnsentBodies } from '../../src/transport/plain/unsent-bodies.js';

/** A response whose client takes nothing until `close` is emitted. */
class SlowResponse extends EventEmitter {
  status: number | undefined;
  headersSent = false;
  readonly destroyed = false;
  readonly socket = { destroyed: false, destroy: () => void this.emit('close') };
  setTimeout(): void {}
  writeHead(status: number): void {
    this.status = status;
    this.headersSent = true;
  }
  end(): void {}
}
const slow = () => new SlowResponse();
const asResponse = (response: SlowResponse) => response as unknown as ServerResponse;

it('a body that several responses share counts once, until the last of them was sent', () => {
  const bodies = new UnsentBodies(10_000, { monotonic: () => 0 });
  const body = Buffer.alloc(6_000);
  const [first, second] = [slow(), slow()];
  expect([first, second].map((response) => bodies.take(body, asResponse(response)))).toEqual([true, true]);
  first.emit('close');
  expect([bodies.take(Buffer.alloc(6_000), asResponse(slow())), bodies.hasRoom(6_000)]).toEqual([false, false]);
  expect(bodies.take(Buffer.alloc(1_000), asResponse(slow()))).toBe(true);
  second.emit('close');
  expect(bodies.hasRoom(10_000)).toBe(true);
});

it('clients that keep their answers for long lose them when others need the memory', () => {
  let now = 0;
  const bodies = new UnsentBodies(10_000, { monotonic: () => now });
  const closed: number[] = [];
  for (const index of [0, 1]) {
    const response = slow();
    response.once('close', () => closed.push(index));
    bodies.take(Buffer.alloc(5_000), asResponse(response));
    now += 20_000;
  }
  expect([bodies.hasRoom(5_000), closed]).toEqual([true, [0]]);
});

it('answers that are ready at the same time stay within the bound, and are sent one after another', async () => {
  const body = Buffer.alloc(Math.ceil(LIMITS.readUnsentBytes / 8));
  const answer: Answer = { status: 200, body, cache: 'none' };
  const reading = new HttpReading({
    config: { pathPrefix: undefined, allowedOrigins: [] },
    access: { isPublic: () => true, decide: async () => ({ kind: 'allowed' }) },
    pages: { read: async () => ({ ...answer, body: Buffer.from(body.buffer) }) },
    figures: new ReadFigures(),
    hub: { storeUnavailableMs: 0 },
    refuseMs: 0,
    clock: { monotonic: () => 0 },
  } as unknown as HttpReadingDeps);
  const responses = Array.from({ length: 20 }, slow);
  for (const response of responses) {
    const request = { method: 'GET', headers: {}, socket: response.socket };
    const about = { path: '/stream/chat/room-1', rawQuery: '', headers: {} };
    reading.handle({ request, response, about, isHostAllowed: true, stopping: false } as unknown as PlainRequest);
  }
  // Bodies that are refused are not kept until their turn, and errors do not wait for it.
  const isRefused = ({ status }: SlowResponse) => status === 503;
  await turn();
  expect(responses.filter(isRefused)).toHaveLength(12);
  let most = 0;
  for (let sent = responses.filter(({ headersSent }) => headersSent).length; sent < responses.length; ) {
    const before = sent;
    await turn();
    sent = responses.filter(({ headersSent }) => headersSent).length;
    most = Math.max(most, sent - before);
  }
  // Each of them is larger than what one turn of the event loop sends. The first turn also sends the one that came first.
  expect(most).toBeLessThanOrEqual(2);
  const statuses = responses.map(({ status }) => status);
  expect([statuses.filter((status) => status === 200).length, statuses.filter((status) => status === 503).length]).toEqual([8, 12]);
  responses[0]?.emit('close');
});
