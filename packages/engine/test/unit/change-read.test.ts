import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { LIMITS } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Hub } from '../../src/stream/fanout/hub.js';
import { ChangeRead } from '../../src/stream/reading/changes/change-read.js';
import { ChangeReads } from '../../src/stream/reading/changes/change-reads.js';
import { SharedAnswers } from '../../src/stream/reading/changes/shared-answers.js';
import type { AnswerStream, AnswerTo } from '../../src/stream/reading/requests/answer.js';
import { ReadFigures } from '../../src/stream/reading/requests/read-figures.js';
import type { SessionSocketDeps } from '../../src/stream/session/session-socket.js';
import { encodeTextFrame } from '../../src/transport/websocket-frame.js';

const ref = { stream: 'chat', group: 'room-1', item: undefined };
const since = { epoch: 'e', offset: 1 };
const socket = { config: { maxBufferedBytes: 1_000, maxSubscriptionsPerConnection: 1 } } as unknown as SessionSocketDeps;
const RESUMED = { subscriptionId: 's', mode: 'tail', epoch: 'e', from: 1 } as const;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** A hub whose cursor the test moves, and whose frames the test writes. */
function scripted() {
  const subscription = { cursor: 1 };
  const hub = { open: () => subscription, join: () => ({ subscription }), leave: () => true } as unknown as Hub;
  return { hub, subscription };
}

function begin(shared = new SharedAnswers()) {
  const { hub, subscription } = scripted();
  const written: string[] = [];
  let unsent = 0;
  let isDropped = false;
  const stream: AnswerStream = {
    get unsent() {
      return unsent;
    },
    begin: () => {},
    write: (piece) => void written.push(piece.toString()),
    end: (text) => void written.push(text),
    drop: () => void (isDropped = true),
  };
  const figures = new ReadFigures();
  const options = { hub, socket, figures, shared, ref, since, waitMs: 0, hasPositions: true, stream, remoteAddress: '' };
  const read = new ChangeRead(options);
  const send = (frame: object) => read.write(encodeTextFrame(JSON.stringify(frame)));
  return {
    read,
    subscription,
    written,
    send,
    dropped: () => isDropped,
    hold: (bytes: number) => void (unsent = bytes),
  };
}

const change = (offset: number, chars: number) => ({ type: 'stream', event: { type: 'create', data: 'x'.repeat(chars) }, offset });

it('RV-52 a client that reads a large answer slowly gets all of it', async () => {
  const { read, send, written, dropped, subscription } = begin();
  send({ type: 'resumed', data: { ...RESUMED, to: 3 } });
  send(change(2, LIMITS.readPageBytes));
  await vi.advanceTimersByTimeAsync(10 * LIMITS.httpStallMs);
  expect(dropped()).toBe(false);
  send(change(3, 1));
  subscription.cursor = 3;
  expect(await read.answer).toBe('streamed');
  expect(JSON.parse(written.join(''))).toMatchObject({ mode: 'tail', position: 'e:3', changes: [{ offset: 2 }, { offset: 3 }] });
});

it('RV-52 a read waits for a slow client without work', async () => {
  const { read, send, subscription, hold } = begin();
  send({ type: 'resumed', data: { ...RESUMED, to: 3 } });
  send(change(2, LIMITS.readPageBytes));
  hold(2_000);
  subscription.cursor = 2;
  await turn();
  const real = globalThis.setImmediate;
  let ofReads = 0;
  // Other test files of the process schedule turns too. So only calls from the code of reads count.
  const scheduled = vi.spyOn(globalThis, 'setImmediate').mockImplementation(((...all: Parameters<typeof real>) => {
    if (new Error().stack?.includes('/src/stream/reading/') === true) ofReads++;
    return real(...all);
  }) as typeof real);
  for (let turns = 0; turns < 20; turns++) await turn();
  // A read that asks again and again makes one call in each turn.
  expect(ofReads).toBeLessThan(2);
  scheduled.mockRestore();
  hold(0);
  read.drained();
  // The rest of the log has nothing for this reader, so no frame comes.
  subscription.cursor = 3;
  expect(await read.answer).toBe('streamed');
});

it('RV-52 reads that get the same sync share one answer', async () => {
  const shared = new SharedAnswers();
  const part = { type: 'stream', event: { type: 'sync', data: ['ü'] }, ids: ['a'], offset: 7, epoch: 'f', reason: 'epoch' };
  const frames = [encodeTextFrame(JSON.stringify(part))];
  const answers = [begin(shared), begin(shared)].map(({ read }) => {
    // This frame is of one reader alone.
    read.write(encodeTextFrame('{"type":"syncing","data":{"subscriptionId":"s"}}'));
    for (const frame of frames) read.write(frame);
    return read.answer;
  });
  const [first, second] = await Promise.all(answers);
  expect(first).toBe(second);
  if (first === undefined || first === 'streamed') throw new Error('no answer');
  expect(JSON.parse(first.body?.toString() ?? '')).toEqual({ position: 'f:7', mode: 'sync', reason: 'epoch', changes: [part] });
});

const SYNCING = { type: 'syncing', data: { subscriptionId: 's' } };
/** A `sync`, or a part of one. The keys have the order of the engine. */
const sync = ({ part = {}, reason }: { part?: object; reason?: string } = {}) => ({
  type: 'stream',
  event: { type: 'sync', data: ['a'] },
  ids: ['a'],
  ...part,
  offset: 7,
  epoch: 'f',
  ...(reason === undefined ? {} : { reason }),
});

it.each(['tail', 'changes'])('RV-52 a sync that replaces an answer of mode %s is its only change', async (mode) => {
  const { read, send } = begin();
  send({ type: 'resumed', data: { ...RESUMED, mode, to: 3 } });
  send(change(2, 1));
  send(SYNCING);
  const gap = { type: 'gap', data: { subscriptionId: 's', after: 1, through: 3 } };
  send(gap);
  send(sync({ part: { part: 0, last: false } }));
  // The history ended again, before the last part.
  send(SYNCING);
  send(gap);
  send(sync({ reason: 'restarted' }));
  const answer = await read.answer;
  if (answer === 'streamed') throw new Error('no answer');
  expect(JSON.parse(answer.body?.toString() ?? '')).toEqual({
    position: 'f:7',
    mode: 'sync',
    reason: 'restarted',
    changes: [gap, sync({ reason: 'restarted' })],
  });
});

it('RV-52 a streamed answer that a sync replaces is cut off, because its beginning has another mode', async () => {
  const { read, send, written, dropped } = begin();
  send({ type: 'resumed', data: { ...RESUMED, mode: 'changes', to: 3 } });
  send(change(2, LIMITS.readPageBytes));
  send(SYNCING);
  send(sync());
  expect([await read.answer, dropped(), written.join('').includes('"sync"')]).toEqual(['streamed', true, false]);
});

function startReads(now: number) {
  const { hub, subscription } = scripted();
  const reads = new ChangeReads({ hub, socket, figures: new ReadFigures(), clock: { now: () => now } });
  const read = (expiresAtMs?: number, addressGroup = '') => {
    const to = { response: new EventEmitter(), request: { method: 'GET' } } as unknown as AnswerTo;
    const query = { ref, since, waitS: 30, hasPositions: true, remoteAddress: '', addressGroup };
    return reads.read(query, { kind: 'allowed', identity: 'ann', expiresAtMs }, to);
  };
  return { hub, subscription, reads, read };
}

it('RV-52 a wait is answered 401 when the access expires', async () => {
  const { hub, read } = startReads(1_000);
  let outlet: { write(frames: Buffer): void } | undefined;
  vi.spyOn(hub, 'open').mockImplementation((subscriber) => {
    outlet = subscriber;
    return { cursor: 1 } as ReturnType<Hub['open']>;
  });
  const answer = read(6_000);
  outlet?.write(encodeTextFrame(JSON.stringify({ type: 'resumed', data: { ...RESUMED, to: 1 } })));
  await turn();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await answer).toMatchObject({ status: 401 });
});

it('RV-52 a read that is admitted while the engine stops is answered 503', async () => {
  const { reads, read } = startReads(0);
  reads.stop();
  expect(await read()).toMatchObject({ status: 503 });
});

it('RV-52 when too many reads are open, the newest of the address with the most makes room for other addresses', async () => {
  const { reads, read } = startReads(0);
  const ended: string[] = [];
  const open = (name: string, address: string) =>
    void read(undefined, address).then((answer) => {
      ended.push(`${name} ${answer === 'streamed' ? answer : answer.status}`);
    });
  for (let index = 1; index < LIMITS.longPolls; index++) open(`a${index}`, 'a');
  open('b1', 'b');
  await turn();
  expect(ended).toEqual([]);
  open('a', 'a');
  open('c1', 'c');
  open('b2', 'b');
  await turn();
  expect(ended).toEqual(['a 503', `a${LIMITS.longPolls - 1} 503`, `a${LIMITS.longPolls - 2} 503`]);
  reads.stop();
  await turn();
  expect(ended).toHaveLength(LIMITS.longPolls + 3);
});
