import { LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, test } from 'vitest';

const ROOM = { stream_name: 'presence', group_id: 'room' };

interface Person {
  readonly name: string;
  readonly grace?: number;
  readonly typing?: boolean;
}

/** Presence needs no code but a join function that gives a lease. */
async function admit(workerUrl: string): Promise<RawWorker> {
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::auth', (input) => {
    const [who = '{}'] = (input as { query_params: { who?: string[] } }).query_params.who ?? [];
    return { context: JSON.parse(who) as Person };
  });
  await worker.serve('app::join', (event) => {
    const { name, grace, typing } = (event as { context: Person }).context;
    if (name === undefined) return {};
    const lease = { item_id: name, data: { id: name, typing: false }, ...(grace === undefined ? {} : { grace_ms: grace }) };
    return { lease: typing === true ? { ...lease, client_data: true } : lease };
  });
  await worker.bind('stream:join', 'app::join', {});
  return worker;
}

async function start(options: TestEngineOptions = {}) {
  const engine = await startTestEngine({ ...options, stream: { authFunction: 'app::auth', ...options.stream } });
  const worker = await admit(engine.workerUrl);
  const there = async () => ((await worker.result('stream::list', ROOM)) as { id: string }[]).map(({ id }) => id);
  const watcher = await StreamSocket.open(`${engine.streamUrl}/stream/presence/room`);
  await watcher.take('sync');
  return { ...engine, worker, there, watcher, enter: (person: Person) => enter(engine.streamUrl, person) };
}

async function enter(streamUrl: string, person: Person): Promise<StreamSocket> {
  const client = await StreamSocket.open(`${streamUrl}/?who=${encodeURIComponent(JSON.stringify(person))}`);
  client.joinWithPositions('s1', 'presence', 'room');
  await client.take('sync');
  return client;
}

describe.each([{ lmdb: false }, { lmdb: true }])('leases (lmdb: $lmdb)', ({ lmdb }) => {
  test('RV-41 an item lives while its join does, and goes at once with a clean close or a leave', async () => {
    const { watcher, there, enter: come } = await start({ lmdb });
    const ann = await come({ name: 'ann' });
    expect(await watcher.take('create')).toMatchObject({ id: 'ann', event: { data: { id: 'ann', typing: false } } });
    const bob = await come({ name: 'bob' });
    await watcher.take('create');
    await ann.close();
    expect((await watcher.take('delete')).id).toBe('ann');
    bob.leave('s1', 'presence', 'room');
    expect((await watcher.take('delete')).id).toBe('bob');
    expect(await there()).toEqual([]);
  });

  test('RV-41 after a drop it stays for its grace time, and for good when it is held again meanwhile', async () => {
    const { watcher, there, enter: come } = await start({ lmdb });
    const ann = await come({ name: 'ann', grace: 60_000 });
    await watcher.take('create');
    ann.socket.terminate();
    await ann.closed;
    const again = await come({ name: 'ann', grace: 300 });
    await watcher.take('update');
    again.socket.terminate();
    const dropped = performance.now();
    await watcher.take('delete');
    const outlived = performance.now() - dropped;
    expect(outlived).toBeGreaterThan(250);
    expect(await there()).toEqual([]);
  });

  test('RV-41 an item that several joins hold goes with the last of them', async () => {
    const { watcher, there, enter: come } = await start({ lmdb });
    const [one, two] = [await come({ name: 'ann' }), await come({ name: 'ann' })];
    await watcher.take('create');
    await one.close();
    await watcher.settled();
    expect(await there()).toEqual(['ann']);
    await two.close();
    await watcher.take('delete');
    expect(watcher.inbox.all.filter((frame) => frame.event.type === 'delete')).toHaveLength(1);
  });

  test('RV-41 a join that is made anew keeps its item without a gap', async () => {
    const { watcher, enter: come } = await start({ lmdb });
    const ann = await come({ name: 'ann' });
    await watcher.take('create');
    ann.joinWithPositions('s1', 'presence', 'room');
    await ann.take('sync');
    await ann.close();
    await watcher.take('delete');
    expect(watcher.inbox.all.map((frame) => frame.event.type).filter((type) => type !== 'update')).toEqual(['sync', 'create', 'delete']);
  });

  test('RV-42 the client replaces its data where the join function allows it, within bounds', async () => {
    const { watcher, enter: come } = await start({ lmdb });
    const ann = await come({ name: 'ann', typing: true });
    await watcher.take('create');
    const tell = (data: unknown) => ann.send({ type: 'lease', data: { subscriptionId: 's1', data } });
    tell({ id: 'ann', typing: true });
    expect(await watcher.take('update')).toMatchObject({ id: 'ann', event: { data: { typing: true } } });
    tell('x'.repeat(LIMITS.leaseDataBytes));
    expect(await ann.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'VALUE_TOO_LARGE' });
    for (let n = 0; n < 3 * LIMITS.leaseUpdatesPerSecond; n++) tell(n);
    expect(await ann.takeControl('error')).toMatchObject({ code: 'RATE_LIMITED' });
    const bob = await come({ name: 'bob' });
    bob.send({ type: 'lease', data: { subscriptionId: 's1', data: 'free' } });
    expect(await bob.takeControl('error')).toMatchObject({ code: 'FORBIDDEN' });
    const nobody = await come({ name: undefined as unknown as string });
    nobody.send({ type: 'lease', data: { subscriptionId: 's1', data: 'free' } });
    expect(await nobody.takeControl('error')).toMatchObject({ code: 'FORBIDDEN' });
  });

  test.each([
    ['no object', 7],
    ['no item', { data: 1 }],
    ['an empty item', { item_id: '' }],
    ['an item that is too long', { item_id: 'x'.repeat(LIMITS.idBytes + 1) }],
    ['a grace time that is too long', { item_id: 'a', grace_ms: LIMITS.leaseGraceMs + 1 }],
    ['a grace time that is none', { item_id: 'a', grace_ms: '1' }],
    ['data that is too large', { item_id: 'a', data: 'x'.repeat(LIMITS.leaseDataBytes) }],
  ])('RV-41 a lease with %s is a failure of the join function: with an auth function it refuses', async (_, lease) => {
    const { worker, there, streamUrl } = await start({ lmdb });
    await worker.serve('app::join', () => ({ lease }));
    const client = await StreamSocket.open(`${streamUrl}/stream/presence/room`);
    await client.take('unauthorized');
    expect(await there()).toEqual([]);
  });
});

test('RV-41 a stream that a worker keeps has no leases: the client gets an error, and watches all the same', async () => {
  const { worker, streamUrl } = await start();
  await worker.serve('stream::list(presence)', () => []);
  await worker.serve('stream::set(presence)', () => null);
  const ann = await enter(streamUrl, { name: 'ann' });
  expect(await ann.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'INVALID_ARGUMENTS' });
});

test('RV-41 after kill -9 an item goes its grace time after the start, unless it is held again', async () => {
  const engine = await EngineProcess.start({ stream: ['auth_function: app::auth'] });
  await admit(engine.workerUrl);
  const ann = await enter(engine.streamUrl, { name: 'ann', grace: 1_000 });
  await enter(engine.streamUrl, { name: 'bob', grace: 1_000 });
  await ann.take('create', (frame) => frame.id === 'bob');
  await engine.kill();
  await engine.start();
  const worker = await admit(engine.workerUrl);
  await expect
    .poll(() =>
      enter(engine.streamUrl, { name: 'bob', grace: 1_000 }).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  const there = async () => ((await worker.result('stream::list', ROOM)) as { id: string }[]).map(({ id }) => id);
  await expect.poll(there).toEqual(['bob']);
});
