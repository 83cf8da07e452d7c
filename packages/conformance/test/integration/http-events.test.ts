import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { EventStream, type StreamEvent } from '@rivulet/testkit/peers/event-stream';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

async function start(options: TestEngineOptions = {}) {
  const started = await startTestEngine(options);
  const worker = await RawWorker.connect(started.workerUrl);
  const set = (item_id: string, data: unknown, group_id = 'room-1') =>
    worker.call('stream::set', { stream_name: 'chat', group_id, item_id, data });
  return { ...started, worker, set, room: `${started.streamUrl}/stream/chat/room-1` };
}

interface Frame {
  readonly type: string;
  readonly groupId: string;
  readonly id: string | null;
  readonly offset: number;
  readonly last?: boolean;
  readonly through?: number;
  readonly ids: readonly string[];
  readonly event: { readonly type: string; readonly data: unknown };
  readonly data: { readonly mode: string };
}

const frameOf = ({ data }: StreamEvent) => JSON.parse(data) as Frame;
const nameOf = (event: StreamEvent) => {
  const frame = frameOf(event);
  return frame.type === 'stream' ? frame.event.type : frame.type;
};

/** A reader that keeps what is whole, as rule RV-53 lets a client do. */
class Replica {
  readonly items = new Map<string, unknown>();
  /** Offsets of the live changes and events that were applied, in their order. */
  readonly live: number[] = [];
  /** Offsets at which an id stood within a batch. */
  readonly torn: number[] = [];
  #parts: Frame[] = [];
  #changes: Frame[] | undefined;

  /** Begins a connection: whatever was not whole is dropped. */
  connect(): void {
    this.#parts = [];
    this.#changes = undefined;
  }

  take(event: StreamEvent): void {
    const frame = frameOf(event);
    if (frame.type === 'resumed') this.#changes = frame.data.mode === 'changes' ? [] : undefined;
    else if (frame.type === 'caught_up') {
      for (const change of this.#changes ?? []) this.#apply(change);
      this.#changes = undefined;
    }
    if (frame.type !== 'stream') return;
    if (frame.event.type === 'sync') {
      this.#parts.push(frame);
      if (frame.last === false) return;
      this.items.clear();
      for (const { ids, event: state } of this.#parts) ids.forEach((id, index) => this.items.set(id, (state.data as unknown[])[index]));
      this.connect();
    } else if (this.#changes !== undefined) this.#changes.push(frame);
    else this.#parts.push(frame);
    // The changes of a batch are shown together.
    if (this.#changes === undefined && event.id !== undefined) {
      if (frame.through !== undefined && frame.through !== frame.offset) this.torn.push(frame.offset);
      for (const change of this.#parts) {
        this.live.push(change.offset);
        this.#apply(change);
      }
      this.#parts = [];
    }
  }

  #apply({ event, id }: Frame): void {
    if (event.type === 'event') return;
    if (event.type === 'delete') this.items.delete(id ?? '');
    else this.items.set(id ?? '', event.data);
  }
}

async function writeHistory({ worker, set }: Awaited<ReturnType<typeof start>>): Promise<void> {
  const of = { stream_name: 'chat', group_id: 'room-1' };
  for (let index = 0; index < 6; index++) await set(`i${index}`, index);
  await worker.call('stream::batch', { ...of, writes: ['x', 'y', 'z'].map((item_id) => ({ type: 'set', item_id, data: item_id })) });
  await worker.call('stream::send', { ...of, type: 'ping', data: { a: '","offset":9}' } });
  await worker.call('stream::delete', { ...of, item_id: 'i0' });
  await set('i1', { offset: 1, through: 2, text: ',"offset":77,"epoch":"x"}' });
  await worker.call('stream::batch', { ...of, writes: ['x', 'i9'].map((item_id) => ({ type: 'set', item_id, data: 2 })) });
  await set('end', 'x'.repeat(200_000));
}

test('RV-53 an event stream has the frames of a WebSocket, and ids where the state is whole', async () => {
  const engine = await start();
  await engine.set('a', 1);
  const stream = EventStream.open(engine.room);
  const head = await stream.head;
  expect(head).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(head.toLowerCase()).toContain('content-type: text/event-stream');
  expect(head.toLowerCase()).not.toContain('transfer-encoding');
  const socket = await StreamSocket.open(`${engine.room}?positions=1`);
  const sync = await stream.events.take((event) => nameOf(event) === 'sync');
  const other = await socket.take('sync');
  expect(frameOf(sync)).toEqual(other);
  expect(sync.id).toMatch(/:1$/);
  await writeHistory(engine);
  const ids: (string | undefined)[] = [];
  for (let offset = 2; offset <= 15; offset++) {
    const event = await stream.events.take((each) => frameOf(each).offset === offset);
    ids.push(event.id?.replace(/^.*:/, ''));
  }
  // The batches are the offsets 8 to 10 and 14 to 15.
  expect(ids).toEqual(['2', '3', '4', '5', '6', '7', undefined, undefined, '10', '11', '12', '13', undefined, '15']);
});

for (const logMaxChanges of [10_000, 3]) {
  test(`RV-53 a reader that is cut after any frame resumes by Last-Event-ID: none lost, none doubled (log of ${logMaxChanges})`, async () => {
    const engine = await start({ stream: { logMaxChanges } });
    // The first sync has several parts.
    for (let index = 0; index < 5; index++) await engine.set(`big${index}`, `${index}`.repeat(40_000));
    const first = EventStream.open(engine.room);
    await first.events.take((event) => frameOf(event).last === true);
    await writeHistory(engine);
    await first.events.take((event) => frameOf(event).id === 'end');
    const transcript = first.events.all;
    const head = frameOf(transcript.at(-1) as StreamEvent).offset;
    const whole = new Replica();
    for (const event of transcript) whole.take(event);
    expect(whole.live).toEqual(Array.from({ length: head - 5 }, (_, index) => index + 6));
    expect(transcript.filter((event) => nameOf(event) === 'sync').length).toBeGreaterThan(1);
    for (let cut = 0; cut <= transcript.length; cut++) {
      const replica = new Replica();
      for (const event of transcript.slice(0, cut)) replica.take(event);
      const lastId = transcript.slice(0, cut).findLast(({ id }) => id !== undefined)?.id;
      const again = EventStream.open(engine.room, lastId === undefined ? {} : { 'last-event-id': lastId });
      replica.connect();
      const isLast = ({ id }: StreamEvent) => id?.endsWith(`:${head}`) === true;
      const isThere = lastId?.endsWith(`:${head}`) === true;
      await again.events.take((event) => (isThere ? nameOf(event) === 'resumed' : isLast(event)));
      for (const event of again.events.all) replica.take(event);
      expect(replica.items, `cut after ${cut} frames`).toEqual(whole.items);
      expect(replica.live, `cut after ${cut} frames`).toEqual([...new Set(replica.live)].toSorted((a, b) => a - b));
      expect(replica.torn).toEqual([]);
      // A log that reaches back has every change, and events are changes too.
      const isExact = logMaxChanges > 3 && lastId !== undefined;
      expect(replica.live).toEqual(isExact ? whole.live : replica.live);
      again.socket.destroy();
    }
  });
}

test('RV-56 one stream has several groups, and its ids resume all of them', async () => {
  const engine = await start();
  const url = `${engine.streamUrl}/events?group=chat/room-1&group=chat%2Froom-2&group=chat/room-3/only`;
  await engine.set('a', 1);
  const stream = EventStream.open(url);
  for (const group of ['room-1', 'room-2', 'room-3'])
    await stream.events.take((event) => nameOf(event) === 'sync' && frameOf(event).groupId === group);
  await engine.set('b', 2, 'room-2');
  await engine.set('only', 3, 'room-3');
  await engine.set('not', 3, 'room-3');
  await engine.set('c', 4, 'room-1');
  const last = await stream.events.take((event) => frameOf(event).id === 'c');
  expect(last.id?.split(',').map((part) => part.replace(/^.*:/, ''))).toEqual(['2', '1', '1']);
  stream.socket.destroy();
  await engine.set('d', 5, 'room-2');
  const again = EventStream.open(url, { 'last-event-id': last.id ?? '' });
  await again.events.take((event) => frameOf(event).id === 'd');
  await engine.set('e', 6, 'room-1');
  await again.events.take((event) => frameOf(event).id === 'e');
  expect(again.events.all.filter((event) => frameOf(event).type === 'stream').map((event) => frameOf(event).id)).toEqual(['d', 'e']);
  for (const bad of ['', '?group=chat', '?group=chat/a&group=chat/a', `?${'group=a/b&'.repeat(33)}`]) {
    const response = await fetch(`${engine.streamUrl.replace('ws:', 'http:')}/events${bad}`);
    expect([bad, response.ok]).toEqual([bad, false]);
  }
});

test('RV-53 a stream that a worker stores sends no ids and begins with a sync', async () => {
  const engine = await start();
  await engine.worker.serve('stream::list(boards)', () => [{ id: 'x' }]);
  const stream = EventStream.open(engine.room.replace('chat', 'boards'), { 'last-event-id': 'a:1' });
  const sync = await stream.events.take((event) => nameOf(event) === 'sync');
  expect([frameOf(sync).event.data, sync.id]).toEqual([[{ id: 'x' }], undefined]);
});

test('RV-53 a stop and a missing auth function end the stream with retry, and a refusal is final', async () => {
  const undecided = await start({ stream: { authFunction: 'app::auth' } });
  const early = EventStream.open(undecided.room);
  expect(await early.head).toMatch(/^HTTP\/1.1 200 /);
  await early.closed;
  expect(early.others).toEqual([expect.stringMatching(/^retry: \d+$/)]);
  const { worker, room, stop } = undecided;
  const joined: { readonly subscription_id: string }[] = [];
  const left: unknown[] = [];
  await worker.serve('app::auth', (data) => ({ unauthorized: !JSON.stringify(data).includes('good'), identity: 'ann' }));
  await worker.serve('app::join', (data) => {
    joined.push(data as (typeof joined)[number]);
    return { unauthorized: (data as { readonly group_id: string }).group_id === 'room-2' };
  });
  await worker.serve('app::leave', (data) => void left.push(data));
  await worker.bind('stream:join', 'app::join', {});
  await worker.bind('stream:leave', 'app::leave', {});
  expect(await EventStream.open(room).head).toMatch(/^HTTP\/1.1 401 /);
  expect(await EventStream.open(`${room.replace('room-1', 'room-2')}?token=good`).head).toMatch(/^HTTP\/1.1 403 /);
  const revoked = EventStream.open(`${room}?token=good`);
  await revoked.events.take((event) => nameOf(event) === 'sync');
  await worker.call('engine::sessions::disconnect', { identity: 'ann' });
  await revoked.closed;
  await expect.poll(() => left.length).toBe(1);
  const stopped = EventStream.open(`${room}?token=good`);
  // Functions know each join by an id of its own, and the leave has the same.
  await expect.poll(() => joined.length).toBe(3);
  for (const { subscription_id: id } of joined) expect(id).toMatch(/^[\da-f]{8}-[\da-f-]{27}$/);
  expect(new Set(joined.map(({ subscription_id: id }) => id)).size).toBe(3);
  expect(left).toEqual([joined[1]]);
  await stopped.events.take((event) => nameOf(event) === 'sync');
  await stop();
  await stopped.closed;
  expect(stopped.others).toContainEqual(expect.stringMatching(/^retry: \d+$/));
});

test('RV-53 a quiet stream gets comments, and a value with line breaks stays one event', async () => {
  const engine = await start({ stream: { pingIntervalMs: 50, pongTimeoutMs: 50 } });
  const stream = EventStream.open(engine.room);
  await stream.events.take((event) => nameOf(event) === 'sync');
  await engine.set('a', 'one\ntwo\r\n\n\nthree');
  expect(frameOf(await stream.events.take((event) => nameOf(event) === 'create')).event.data).toBe('one\ntwo\r\n\n\nthree');
  await expect.poll(() => stream.others).toContain(':');
});

/** Returns which timer the kernel has for the engine's side of a connection: 2 is the one before its probes. */
async function kernelTimer(clientPort: number): Promise<number> {
  const port = clientPort.toString(16).toUpperCase().padStart(4, '0');
  const line = new RegExp(`^ *\\d+: \\S+ [\\dA-F]{8}:${port} \\S+ \\S+ (\\d\\d):`, 'm').exec(await readFile('/proc/net/tcp', 'utf8'));
  return Number(line?.[1]);
}

test('RV-53 a client that takes nothing for event_stall_timeout_ms is dropped, and resumes; the kernel probes a quiet one', async () => {
  const engine = await start({ stream: { pingIntervalMs: 50, pongTimeoutMs: 50, eventStallTimeoutMs: 200 } });
  const quiet = EventStream.open(engine.room.replace('room-1', 'room-2'));
  const stalled = EventStream.open(engine.room);
  await stalled.events.take((event) => nameOf(event) === 'sync');
  const left: unknown[] = [];
  await engine.worker.serve('app::leave', (data) => void left.push(data));
  await engine.worker.bind('stream:leave', 'app::leave', {});
  stalled.socket.pause();
  const value = 'x'.repeat(50_000);
  for (let index = 0; left.length === 0; index++) await engine.set(`i${index % 7}`, value);
  expect(engine.log.filter(({ event }) => event === 'event_stream_stalled')).toHaveLength(1);
  stalled.socket.resume();
  await stalled.closed;
  const last = stalled.events.all.findLast(({ id }) => id !== undefined);
  const resumed = EventStream.open(engine.room, { 'last-event-id': String(last?.id) });
  await engine.set('end', 1);
  await resumed.events.take((event) => frameOf(event).id === 'end');
  await expect.poll(() => kernelTimer(Number((quiet.socket.address() as AddressInfo).port))).toBe(2);
  expect(quiet.socket.destroyed).toBe(false);
});

test('RV-53 a reader that stalls is served from its cursor, and keeps nobody waiting', async () => {
  const engine = await start();
  const stalled = EventStream.open(engine.room);
  await stalled.events.take((event) => nameOf(event) === 'sync');
  stalled.socket.pause();
  const other = EventStream.open(engine.room);
  await other.events.take((event) => nameOf(event) === 'sync');
  const value = 'x'.repeat(50_000);
  for (let index = 0; index < 200; index++) await engine.set(`i${index % 7}`, value);
  await engine.set('end', 1);
  await other.events.take((event) => frameOf(event).id === 'end');
  stalled.socket.resume();
  await stalled.events.take((event) => frameOf(event).id === 'end');
  const replica = new Replica();
  for (const event of stalled.events.all) replica.take(event);
  expect(replica.items.get('end')).toBe(1);
  expect(replica.live).toEqual([...new Set(replica.live)].toSorted((a, b) => a - b));
});
