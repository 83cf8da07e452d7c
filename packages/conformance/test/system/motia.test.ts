import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { Inbox } from '@rivulet/testkit/inbox';
import { HalfOpenProxy } from '@rivulet/testkit/links/half-open-proxy';
import { slowLink } from '@rivulet/testkit/links/slow-link';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { describe, expect, test } from 'vitest';
import { shows } from '../harness/client-matrix.js';
import { type Item, MOTIA_CLIENTS, Motia, type MotiaClient } from '../harness/motia-client.js';

const room = { stream_name: 'chat', group_id: 'room-1' };

function writer(worker: RawWorker) {
  return {
    set: (data: Item) => worker.result('stream::set', { ...room, item_id: data.id, data }),
    remove: (id: string) => worker.result('stream::delete', { ...room, item_id: id }),
    say: (type: string, data: unknown, id?: string) => worker.result('stream::send', { ...room, type, data, id: id ?? null }),
  };
}

async function start(client: MotiaClient, options: TestEngineOptions & { readonly path?: string } = {}) {
  const started = await startTestEngine(options);
  const worker = await RawWorker.connect(started.workerUrl);
  const motia = new Motia(client, started.streamUrl + (options.path ?? ''));
  return { ...started, worker, ...writer(worker), motia };
}

/** The rounds of each client. The two in the middle share their core with the last one, so fewer rounds are enough. */
const ROUNDS: Readonly<Record<MotiaClient, number>> = {
  'stream-client-browser 0.2.2': 1_000,
  'stream-client-browser 0.6.4': 200,
  'stream-client-browser 0.17.14': 200,
  'stream-client-node 0.17.6': 1_000,
};

const sorted = (items: readonly Item[]) => items.toSorted((a, b) => (a.id < b.id ? -1 : 1));

describe.each(MOTIA_CLIENTS)('SM-4 %s', (client) => {
  test('a group subscription gets the snapshot, then each create, update and delete', async () => {
    shows('join', client);
    shows('changes', client);
    const { set, remove, motia } = await start(client);
    await set({ id: 'm1', n: 1 });
    await set({ id: 'm2' });
    const group = motia.group('chat', 'room-1');
    await group.until((items) => items.length === 2, 'the snapshot');
    await set({ id: 'm3' });
    await set({ id: 'm1', n: 2 });
    await remove('m2');
    await group.until((items) => items.length === 2, 'the end');
    expect(group.states).toEqual([
      [{ id: 'm1', n: 1 }, { id: 'm2' }],
      [{ id: 'm1', n: 1 }, { id: 'm2' }, { id: 'm3' }],
      [{ id: 'm1', n: 2 }, { id: 'm2' }, { id: 'm3' }],
      [{ id: 'm1', n: 2 }, { id: 'm3' }],
    ]);
  });

  test('an item subscription gets nothing, then each create, update and delete of its item only', async () => {
    shows('changes', client);
    const { set, remove, motia } = await start(client);
    const item = motia.item('chat', 'room-1', 'm1');
    await item.until((state) => state === null, 'the snapshot');
    await set({ id: 'm2' });
    await set({ id: 'm1', n: 1 });
    await set({ id: 'm1', n: 2 });
    await remove('m1');
    await item.until((state) => state === null, 'the delete');
    expect(item.states).toEqual([null, { id: 'm1', n: 1 }, { id: 'm1', n: 2 }, null]);
  });

  test('an item subscription to an item that exists starts with its value', async () => {
    shows('join', client);
    const { set, motia } = await start(client);
    await set({ id: 'm1', n: 1 });
    const item = motia.item('chat', 'room-1', 'm1');
    expect(await item.until(() => true)).toEqual({ id: 'm1', n: 1 });
  });

  test('a custom event runs the listener of its type once; one for an item reaches that item and the group', async () => {
    shows('events', client);
    const { set, say, motia } = await start(client);
    await set({ id: 'm1' });
    const group = motia.group('chat', 'room-1', ['typing', 'mark']);
    const mine = motia.item('chat', 'room-1', 'm1', ['typing', 'mark']);
    const other = motia.item('chat', 'room-1', 'm2', ['typing', 'mark']);
    await Promise.all([group.until(() => true), mine.until(() => true), other.until(() => true)]);
    await say('typing', { user: 'ann' });
    await say('typing', { user: 'bob' }, 'm1');
    await say('unheard', {});
    await say('mark', 1, 'm1');
    await say('mark', 2, 'm2');
    const ended = (n: number) => (event: { data: unknown }) => event.data === n;
    await Promise.all([group.events.take(ended(2)), mine.events.take(ended(1)), other.events.take(ended(2))]);
    const [ann, bob] = ['ann', 'bob'].map((user) => ({ type: 'typing', data: { user } }));
    const marks = [1, 2].map((data) => ({ type: 'mark', data }));
    expect(group.events.all).toEqual([ann, bob, ...marks]);
    expect(mine.events.all).toEqual([bob, marks[0]]);
    expect(other.events.all).toEqual([marks[1]]);
    expect(group.state).toEqual([{ id: 'm1' }]);
  });

  test('a closed subscription leaves, and the others of its connection go on', async () => {
    shows('join', client);
    const { worker, set, motia } = await start(client);
    const left = new Inbox<unknown>();
    await worker.serve('app::left', (data) => left.push(data));
    await worker.bind('stream:leave', 'app::left', {});
    const [first, second] = [motia.item('chat', 'room-1', 'm1'), motia.item('chat', 'room-1', 'm2')];
    await Promise.all([first.until(() => true), second.until(() => true)]);
    first.close();
    expect(await left.take(() => true, 'the leave')).toMatchObject({ subscription_id: first.id, id: 'm1' });
    await set({ id: 'm1' });
    await set({ id: 'm2' });
    await second.until((state) => state?.id === 'm2');
    expect(first.states).toEqual([null]);
    motia.close();
    expect(await left.take(() => true, 'the leave at the end')).toMatchObject({ subscription_id: second.id, id: 'm2' });
  });

  test('on the path of its group it sees each event once, though it joins a second time itself', async () => {
    shows('join', client);
    const { set, say, motia } = await start(client, { path: '/stream/chat/room-1' });
    const group = motia.group('chat', 'room-1', ['ping']);
    await group.until(() => true, 'the snapshot');
    await set({ id: 'm1' });
    await say('ping', 1);
    await say('ping', 2);
    await group.events.take(({ data }) => data === 2);
    expect(group.events.all.map(({ data }) => data)).toEqual([1, 2]);
    expect(group.state).toEqual([{ id: 'm1' }]);
  });

  test('a refused join is silent, and what is allowed on the same connection works', async () => {
    shows('refusal', client);
    const { worker, set, motia } = await start(client);
    await worker.serve('app::join', (data) => ({ unauthorized: (data as { group_id: string }).group_id === 'secret' }));
    await worker.bind('stream:join', 'app::join', {});
    const secret = motia.group('chat', 'secret');
    const allowed = motia.group('chat', 'room-1');
    await allowed.until(() => true, 'the snapshot');
    await worker.result('stream::set', { stream_name: 'chat', group_id: 'secret', item_id: 'x', data: { id: 'x' } });
    await set({ id: 'm1' });
    await allowed.until((items) => items.length === 1);
    expect(secret.states).toEqual([]);
  });

  test('ST-15 after a broken connection it joins again with the same ids and accepts the new snapshots', async () => {
    shows('reconnect', client);
    const { workerUrl, streamUrl } = await startTestEngine({ lmdb: true });
    const worker = await RawWorker.connect(workerUrl);
    const { set, remove } = writer(worker);
    const joined = new Inbox<{ subscription_id: string }>();
    await worker.serve('app::joined', (data) => joined.push(data as { subscription_id: string }));
    await worker.bind('stream:join', 'app::joined', {});
    const proxy = await HalfOpenProxy.to(streamUrl);
    const motia = new Motia(client, proxy.url);
    await set({ id: 'm1', n: 1 });
    await set({ id: 'm2' });
    const [group, item, gone] = [motia.group('chat', 'room-1'), motia.item('chat', 'room-1', 'm1'), motia.item('chat', 'room-1', 'm2')];
    await Promise.all([group.until((items) => items.length === 2), item.until(() => true), gone.until((state) => state !== null)]);
    (await proxy.next()).client.destroy();
    await set({ id: 'm1', n: 2 });
    await remove('m2');
    await set({ id: 'm3' });
    await Promise.all([
      group.until((items) => items.length === 2 && items[1]?.id === 'm3', 'the new snapshot of the group'),
      item.until((state) => state?.n === 2, 'the new snapshot of the item'),
      gone.until((state) => state === null, 'the absence of the other'),
    ]);
    await set({ id: 'm1', n: 3 });
    await Promise.all([group.until((items) => items[0]?.n === 3), item.until((state) => state?.n === 3)]);
    const ids = [group.id, item.id, gone.id];
    expect(joined.all.map(({ subscription_id }) => subscription_id)).toEqual([...ids, ...ids]);
  });

  test.each(['stop', 'kill'] as const)('ST-15 after the engine was ended by %s and started again it sees what is there', async (end) => {
    shows('reconnect', client);
    const engine = await EngineProcess.start();
    const proxy = await HalfOpenProxy.to(engine.streamUrl);
    const motia = new Motia(client, proxy.url);
    const before = writer(await RawWorker.connect(engine.workerUrl));
    await before.set({ id: 'm1', n: 1 });
    const [group, item] = [motia.group('chat', 'room-1'), motia.item('chat', 'room-1', 'm1')];
    await Promise.all([group.until((items) => items.length === 1), item.until((state) => state?.n === 1)]);
    await engine[end]();
    await engine.start();
    const after = writer(await RawWorker.connect(engine.workerUrl));
    await after.set({ id: 'm1', n: 2 });
    await Promise.all([group.until((items) => items[0]?.n === 2), item.until((state) => state?.n === 2)]);
    await after.set({ id: 'm2' });
    await after.set({ id: 'm1', n: 3 });
    await Promise.all([group.until((items) => items.length === 2), item.until((state) => state?.n === 3)]);
  });

  test('ST-5 a hundred writes at once are a hundred changes of an item, and of its group, in order', async () => {
    shows('order', client);
    const { worker, motia } = await start(client);
    const [group, item] = [motia.group('chat', 'room-1'), motia.item('chat', 'room-1', 'm1')];
    await Promise.all([group.until(() => true), item.until(() => true)]);
    for (let n = 0; n < 100; n++) {
      const data = { ...room, item_id: 'm1', data: { id: 'm1', n } };
      worker.send({ type: 'invokefunction', function_id: 'stream::set', data, action: { type: 'void' } });
    }
    await Promise.all([group.until((items) => items[0]?.n === 99), item.until((state) => state?.n === 99)]);
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    expect(item.states.slice(1).map((state) => state?.n)).toEqual(numbers);
    expect(group.states.slice(1).map((items) => items[0]?.n)).toEqual(numbers);
  });

  test('ST-6 groups joined under full write load each converge to the list of the engine', async () => {
    shows('order', client);
    const { worker, streamUrl } = await start(client);
    let motia = new Motia(client, streamUrl);
    let written = 0;
    const write = () => {
      const id = `m${(written * 7) % 11}`;
      const gone = written % 5 === 4;
      const data = { ...room, item_id: id, ...(gone ? {} : { data: { id, n: written } }) };
      written++;
      return worker.result(gone ? 'stream::delete' : 'stream::set', data);
    };
    for (let round = 0; round < ROUNDS[client]; round++) {
      if (round % 100 === 99) {
        motia.close();
        motia = new Motia(client, streamUrl);
      }
      const burst = Array.from({ length: 8 }, write);
      const group = motia.group('chat', 'room-1');
      burst.push(...Array.from({ length: 8 }, write));
      await group.until(() => true, 'a first state');
      burst.push(...Array.from({ length: 4 }, write));
      await Promise.all(burst);
      const list = sorted((await worker.result('stream::list', room)) as Item[]);
      const same = (items: readonly Item[]) => JSON.stringify(sorted(items)) === JSON.stringify(list);
      if (!same(group.state)) await group.until(same, `the list ${JSON.stringify(list)} in round ${round}`);
      group.close();
    }
    expect(written).toBe(20 * ROUNDS[client]);
  });

  test('ST-20 RV-10 behind a link that is slower than the group it ends with the list of the engine', async () => {
    const { engine, workerUrl, streamUrl } = await startTestEngine({ stream: { logMaxChanges: 10 } });
    const worker = await RawWorker.connect(workerUrl);
    const { set, remove } = writer(worker);
    // A busy machine writes slowly too, so the link is hardly open until everything is written.
    let speed = 100_000;
    const motia = new Motia(client, await slowLink(streamUrl, () => speed));
    const group = motia.group('chat', 'room-1');
    await group.until(() => true, 'a first state');
    const pad = 'x'.repeat(100_000);
    await Promise.all(Array.from({ length: 300 }, (_, n) => set({ id: `m${n % 5}`, n, pad })));
    await remove('m0');
    await set({ id: 'last' });
    speed = 8_000_000;
    const list = sorted((await worker.result('stream::list', room)) as Item[]).map(({ id, n }) => [id, n]);
    const same = (items: readonly Item[]) => JSON.stringify(sorted(items).map(({ id, n }) => [id, n])) === JSON.stringify(list);
    if (!same(group.state)) await group.until(same, `the list ${JSON.stringify(list)}`);
    expect(engine.figures().resynced).toBeGreaterThan(0);
  });
});
