import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { connect, type GroupView, type ItemView } from '../../src/index.js';
import { optimistic } from '../../src/optimistic.js';
import { whenView } from '../watch.js';

interface Task {
  readonly text: string;
  readonly done: boolean;
}

/** Starts an engine with a worker, and a client with the part. `look` is called after each frame that the client gets, and each loss. */
async function start(look: () => void = () => {}) {
  const engine = await startTestEngine({ stream: { exposeFunctions: [{ kind: 'match', pattern: 'app::*' }] } });
  const worker = await RawWorker.connect(engine.workerUrl);
  const sockets: WebSocket[] = [];
  class LookedAt extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols);
      sockets.push(this);
      this.on('close', () => queueMicrotask(look));
      // The client has handled the frame when the microtask runs.
      this.on('message', () => queueMicrotask(look));
    }
  }
  const client = connect(engine.streamUrl, { WebSocket: LookedAt, optimistic, runtime: { random: () => 0 } });
  onTestFinished(() => client.close());
  const write = (name: string, group_id: string, more: object) => worker.result(name, { stream_name: 'tasks', group_id, ...more });
  const set = (group: string, item_id: string, data: unknown) => write('stream::set', group, { item_id, data });
  const get = async (group: string, item_id: string) => (await write('stream::get', group, { item_id })) as Task;
  const remove = (group: string, item_id: string) => write('stream::delete', group, { item_id });
  return { worker, client, write, set, get, remove, cut: () => sockets.at(-1)?.terminate() };
}

const isSettled = (view: GroupView<unknown>) => view.items.every(({ pending }) => pending === undefined);

it('a toggle shows at once in all views, and never shows the old value before it is confirmed', async () => {
  const shown: unknown[] = [];
  let views: readonly [GroupView<Task>, ItemView<Task>] | undefined;
  const { client, worker, set, get } = await start(() => {
    if (views !== undefined) shown.push(views[0].get('t1')?.data.done, views[1].item?.data.done);
  });
  await worker.serve('app::toggle', async () => {
    const task = await get('work', 't1');
    await set('work', 't1', { ...task, done: !task.done });
    return 'toggled';
  });
  await set('work', 't1', { text: 'wash', done: false });
  const group = client.subscribeGroup<Task>('tasks', 'work');
  const item = client.subscribeItem<Task>('tasks', 'work', 't1');
  await Promise.all([group.whenLive(), item.whenLive()]);
  const changes: string[] = [];
  group.on({ onChange: ({ type, offset }) => changes.push(`${type} ${offset}`) });
  for (const done of [true, false, true]) {
    shown.length = 0;
    const called = client.call('app::toggle', null, {
      optimistic: (draft) => draft.group<Task>('tasks', 'work').update('t1', (old) => ({ ...old, done: !old.done })),
    });
    views = [group, item];
    expect([group.get('t1'), item.item]).toMatchObject([
      { data: { done }, pending: true },
      { data: { done }, pending: true },
    ]);
    expect(await called).toBe('toggled');
    await whenView(group, isSettled);
    await whenView(item, ({ item: now }) => now?.pending === undefined);
    expect(shown.length).toBeGreaterThan(1);
    expect(new Set(shown)).toEqual(new Set([done]));
    views = undefined;
  }
  expect(changes).toEqual(['update 2', 'update 3', 'update 4']);
});

it('a move between two groups, with a batch, is never in neither; a refused call is rolled back with its error', async () => {
  const seen: boolean[] = [];
  let look = () => {};
  const { client, worker, write, set, remove } = await start(() => look());
  await worker.serve('app::move', async () => {
    await remove('todo', 't1');
    const value = { text: 'wash', done: true };
    await write('stream::batch', 'done', { writes: ['t1', 'copy'].map((item_id) => ({ type: 'set', item_id, data: value })) });
  });
  await worker.serve('app::refuse', () => {
    throw new WorkerError({ code: 'NOT_OWNER', message: 'not yours' });
  });
  await set('todo', 't1', { text: 'wash', done: false });
  const todo = client.subscribeGroup<Task>('tasks', 'todo');
  const done = client.subscribeGroup<Task>('tasks', 'done');
  await Promise.all([todo.whenLive(), done.whenLive()]);
  look = () => seen.push(done.get('t1') !== undefined && todo.get('t1') === undefined);
  await client.call('app::move', null, {
    optimistic: (draft) => {
      const from = draft.group<Task>('tasks', 'todo');
      const task = from.get('t1');
      if (task === undefined) return;
      from.delete('t1');
      draft.group<Task>('tasks', 'done').set('t1', { ...task.data, done: true });
    },
  });
  await whenView(done, (view) => view.size === 2 && isSettled(view));
  expect(new Set(seen)).toEqual(new Set([true]));
  look = () => {};
  const refused = client.call('app::refuse', null, { optimistic: (draft) => draft.group('tasks', 'done').delete('t1') });
  expect(done.get('t1')).toBeUndefined();
  await expect(refused).rejects.toMatchObject({ code: 'NOT_OWNER' });
  expect(done.get('t1')).toMatchObject({ data: { done: true } });
});

it.each([
  ['a good network', 0],
  ['a network that breaks', 9],
])('many calls and writes of others over %s: each call counts once in each state that a view shows', async (_, cutEvery) => {
  const failures: string[] = [];
  const made: string[] = [];
  let view: GroupView<readonly string[]> | undefined;
  const check = () => {
    const log = view?.get('log')?.data ?? [];
    if (new Set(log).size !== log.length) failures.push(`twice: ${log.join()}`);
    for (const name of made) if (!log.includes(name)) failures.push(`${name} is missing in ${log.join()}`);
  };
  const { client, worker, set, write, cut } = await start(check);
  const append = async (name: string, idempotency_key?: string) => {
    await write('stream::update', 'work', { item_id: 'log', ops: [{ type: 'append', path: '', value: name }], idempotency_key });
  };
  // The function may run again after a loss. Its key lets the write count once.
  await worker.serve(
    'app::append',
    (data) => {
      const { name, _caller } = data as { readonly name: string; readonly _caller: { readonly idempotency_key: string } };
      return append(name, _caller.idempotency_key);
    },
    { metadata: { idempotent: true } },
  );
  await set('work', 'log', []);
  view = client.subscribeGroup<readonly string[]>('tasks', 'work');
  await view.whenLive();
  const calls: Promise<unknown>[] = [];
  for (let at = 0; at < 60; at++) {
    const name = `c${at}`;
    made.push(name);
    const called = client.call(
      'app::append',
      { name },
      {
        optimistic: (draft) => draft.group<readonly string[]>('tasks', 'work').update('log', (old) => [...old, name]),
      },
    );
    calls.push(called);
    check();
    if (at % 3 === 0) await append(`f${at}`);
    if (at % 7 === 0) await called;
    if (cutEvery > 0 && at % cutEvery === 0) cut();
  }
  await Promise.all(calls);
  await whenView(view, isSettled);
  expect(failures).toEqual([]);
  expect(view.get('log')?.data).toHaveLength(80);
});

it('a view of an item shows the write of a function as soon as its call has ended, although another item was written last', async () => {
  const { client, worker, set } = await start();
  await worker.serve('app::finish', async () => {
    await set('work', 't1', { text: 'washed', done: true });
    await set('work', 't2', { text: 'dry', done: false });
  });
  await set('work', 't1', { text: 'wash', done: false });
  const item = client.subscribeItem<Task>('tasks', 'work', 't1');
  await item.whenLive();
  for (let round = 0; round < 10; round++) {
    const called = client.call('app::finish', null, {
      optimistic: (draft) => draft.group<Task>('tasks', 'work').update('t1', (old) => ({ ...old, text: 'drafted' })),
    });
    expect(item.item).toMatchObject({ data: { text: 'drafted' }, pending: true });
    await called;
    expect(item.item).toMatchObject({ data: { text: 'washed', done: true } });
    expect(item.item?.pending).toBeUndefined();
  }
});
