import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

async function start(stream: NonNullable<TestEngineOptions['stream']> = {}) {
  const started = await startTestEngine({ stream });
  const worker = await RawWorker.connect(started.workerUrl);
  const set = (stream_name: string, group_id: string, item_id: string, data: unknown) =>
    worker.result('stream::set', { stream_name, group_id, item_id, data });
  return { ...started, worker, set };
}

test('ST-12 a join function that says unauthorized yields one frame, no sync, no events, no leave', async () => {
  const { worker, set, streamUrl } = await start();
  const left: unknown[] = [];
  await worker.serve('app::join', (data) => ({ unauthorized: (data as { group_id: string }).group_id === 'secret' }));
  await worker.serve('app::leave', (data) => void left.push(data));
  await worker.bind('stream:join', 'app::join', {});
  await worker.bind('stream:leave', 'app::leave', {});
  const watcher = await StreamSocket.open(streamUrl);
  watcher.join('s1', 'chat', 'secret');
  watcher.join('s2', 'chat', 'open');
  const refused = await watcher.take('unauthorized');
  expect(refused).toMatchObject({ type: 'stream', streamName: 'chat', groupId: 'secret', id: null, event: { type: 'unauthorized' } });
  await watcher.take('sync');
  await set('chat', 'secret', 'm', { id: 'm' });
  await set('chat', 'open', 'm', { id: 'm' });
  await watcher.take('create');
  expect(watcher.inbox.all.map((frame) => `${frame.groupId} ${frame.event.type}`)).toEqual([
    'secret unauthorized',
    'open sync',
    'open create',
  ]);
  await watcher.close();
  await worker.take('invokefunction', (frame) => frame.function_id === 'app::leave');
  await worker.settled();
  expect(left).toMatchObject([{ subscription_id: 's2' }]);
});

test('ST-12 a join function that fails allows, unless joins fail closed or an auth function is set', async () => {
  const failing = () => {
    throw new WorkerError({ code: 'invocation_failed', message: 'boom' });
  };
  const open = await start();
  await open.worker.serve('app::join', failing);
  await open.worker.bind('stream:join', 'app::join', {});
  await (await StreamSocket.open(`${open.streamUrl}/stream/chat/r`)).take('sync');
  for (const stream of [{ joinFailClosed: true }, { authFunction: 'app::auth' }]) {
    const closed = await start(stream);
    await closed.worker.serve('app::auth', () => ({}));
    await closed.worker.serve('app::join', failing);
    await closed.worker.bind('stream:join', 'app::join', {});
    await (await StreamSocket.open(`${closed.streamUrl}/stream/chat/r`)).take('unauthorized');
  }
});

test('ST-12 with join_fail_closed a join needs a live join function', async () => {
  const { worker, streamUrl } = await start({ joinFailClosed: true });
  await (await StreamSocket.open(`${streamUrl}/stream/chat/r`)).take('unauthorized');
  await worker.bind('stream:join', 'app::join', {});
  await (await StreamSocket.open(`${streamUrl}/stream/chat/r`)).take('unauthorized');
  await worker.serve('app::join', () => ({}));
  await (await StreamSocket.open(`${streamUrl}/stream/chat/r`)).take('sync');
});

test('ST-13 stream_name, group_id and condition_function_id of join and leave triggers are honoured', async () => {
  const { worker, streamUrl } = await start();
  const calls: string[] = [];
  await worker.serve('app::join', (data) => void calls.push((data as { group_id: string }).group_id));
  await worker.serve('app::condition', (data) => (data as { group_id: string }).group_id !== 'skipped');
  await worker.bind('stream:join', 'app::join', { stream_name: 'chat', condition_function_id: 'app::condition' });
  await worker.bind('stream:join', 'app::join', { stream_name: 'other' });
  for (const group of ['a', 'skipped', 'b']) await (await StreamSocket.open(`${streamUrl}/stream/chat/${group}`)).take('sync');
  expect(calls).toEqual(['a', 'b']);
});

test('ST-14 leave fires once for each subscription on close, and never for a forged one', async () => {
  const { worker, streamUrl } = await start();
  const left: string[] = [];
  await worker.serve('app::leave', (data) => void left.push((data as { subscription_id: string }).subscription_id));
  await worker.bind('stream:leave', 'app::leave', {});
  const watcher = await StreamSocket.open(streamUrl);
  for (const id of ['s1', 's2', 's3']) {
    watcher.join(id, 'chat', `g-${id}`);
    await watcher.take('sync');
  }
  watcher.leave('forged', 'chat', 'g-s1');
  watcher.leave('s2', 'somebody', 'elses');
  watcher.leave('s2', 'chat', 'g-s2');
  await watcher.settled();
  await watcher.close();
  for (let n = 0; n < 3; n++) await worker.take('invokefunction', (frame) => frame.function_id === 'app::leave');
  await worker.settled();
  expect(left.sort()).toEqual(['s1', 's2', 's3']);
});

test('a join that is left while its functions run counts as made and left: one leave, no frame', async () => {
  const { worker, streamUrl } = await start();
  let allow: (value: unknown) => void = () => {};
  await worker.serve('app::join', () => new Promise((resolve) => (allow = resolve)));
  await worker.serve('app::leave', () => undefined);
  await worker.bind('stream:join', 'app::join', {});
  await worker.bind('stream:leave', 'app::leave', {});
  const watcher = await StreamSocket.open(streamUrl);
  watcher.join('s1', 'chat', 'r');
  await worker.take('invokefunction', (frame) => frame.function_id === 'app::join');
  watcher.leave('s1', 'chat', 'r');
  await watcher.settled();
  allow({});
  const leave = await worker.take('invokefunction', (frame) => frame.function_id === 'app::leave');
  expect(leave.data).toMatchObject({ subscription_id: 's1', stream_name: 'chat', group_id: 'r' });
  await watcher.settled();
  expect(watcher.inbox.all).toEqual([]);
});

test('ST-20 a slow join function delays neither pings nor other subscriptions of its socket', async () => {
  const { worker, set, streamUrl } = await start();
  await worker.serve('app::join', () => new Promise(() => {}));
  const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/r`);
  await watcher.take('sync');
  await worker.bind('stream:join', 'app::join', { group_id: 'slow' });
  watcher.join('s1', 'chat', 'slow');
  await watcher.settled();
  await set('chat', 'r', 'm', { id: 'm' });
  await watcher.take('create');
});

test('ST-16 stream triggers: filters, empty filters, all streams, conditions, payload', async () => {
  const { worker, set } = await start();
  const fired: Record<string, unknown[]> = {};
  const watch = async (name: string, config: unknown, more: Frame = {}) => {
    fired[name] = [];
    await worker.serve(`app::${name}`, (data) => void fired[name]?.push(data));
    await worker.bind('stream', `app::${name}`, config, more);
  };
  await watch('stream', { stream_name: 'chat' });
  await watch('group', { stream_name: 'chat', group_id: 'r1', item_id: '' });
  await watch('item', { stream_name: 'chat', group_id: 'r1', item_id: 'm1' });
  await watch('all', undefined);
  await worker.serve('app::isBig', (data) => ((data as { event: { data?: { n: number } } }).event.data?.n ?? 0) > 1);
  await watch('big', { stream_name: 'chat', group_id: 'r1', condition_function_id: 'app::isBig' });
  await set('chat', 'r1', 'm1', { id: 'm1', n: 1 });
  await set('chat', 'r1', 'm1', { id: 'm1', n: 2 });
  await set('chat', 'r2', 'm1', { id: 'm1', n: 3 });
  await set('news', 'x', 'y', { id: 'y', n: 4 });
  await worker.result('stream::delete', { stream_name: 'chat', group_id: 'r1', item_id: 'm1' });
  await worker.result('stream::send', { stream_name: 'chat', group_id: 'r1', type: 'typing', data: { n: 5 } });
  await worker.take(
    'invokefunction',
    (frame) => frame.function_id === 'app::all' && (frame.data as { event: { type: string } }).event.type === 'event',
  );
  await worker.take(
    'invokefunction',
    (frame) => frame.function_id === 'app::big' && (frame.data as { event: { type: string } }).event.type === 'delete',
  );
  await worker.settled();
  const kinds = (name: string) => fired[name]?.map((data) => (data as { event: { type: string } }).event.type);
  expect(kinds('stream')?.sort()).toEqual(['create', 'create', 'delete', 'event', 'update']);
  expect(kinds('group')?.sort()).toEqual(['create', 'delete', 'event', 'update']);
  expect(kinds('item')).toEqual(['create', 'update', 'delete']);
  expect(fired.all).toHaveLength(6);
  expect(kinds('big')).toEqual(['update', 'delete']);
  expect(fired.item?.[0]).toMatchObject({
    type: 'stream',
    streamName: 'chat',
    groupId: 'r1',
    id: 'm1',
    event: { type: 'create', data: { id: 'm1', n: 1 } },
  });
  expect(fired.item?.[0]).not.toHaveProperty('_caller_worker_id');
});

test('ST-16 a config that is not a string is refused and the connection survives', async () => {
  const { worker } = await start();
  const id = await worker.bind('stream', 'app::f', { stream_name: 7 });
  const answer = await worker.take('triggerregistrationresult');
  expect(answer).toMatchObject({ id, trigger_type: 'stream', function_id: 'app::f', error: { code: 'trigger_registration_failed' } });
  await worker.settled();
});

test('stream triggers of one item run in order, one after another, however long each takes', async () => {
  const { worker, set } = await start();
  const seen: number[] = [];
  const releases: (() => void)[] = [];
  await worker.serve('app::slow', async (data) => {
    seen.push((data as { event: { data: { n: number } } }).event.data.n);
    await new Promise<void>((resolve) => releases.push(resolve));
  });
  await worker.bind('stream', 'app::slow', { stream_name: 'chat' });
  for (let n = 0; n < 5; n++) await set('chat', 'r', 'm', { id: 'm', n });
  for (let n = 0; n < 5; n++) {
    await worker.take('invokefunction', (frame) => frame.function_id === 'app::slow');
    expect(seen).toHaveLength(n + 1);
    releases[n]?.();
  }
  expect(seen).toEqual([0, 1, 2, 3, 4]);
});

test('WP-15 a trigger id that is registered twice fires once', async () => {
  const { worker, set } = await start();
  let fired = 0;
  await worker.serve('app::f', () => void fired++);
  for (let n = 0; n < 2; n++)
    worker.send({ type: 'registertrigger', id: 't1', trigger_type: 'stream', function_id: 'app::f', config: { stream_name: 'chat' } });
  await worker.settled();
  await set('chat', 'r', 'm', 1);
  await worker.take('invokefunction', (frame) => frame.function_id === 'app::f');
  await set('chat', 'r', 'm', 2);
  await worker.take('invokefunction', (frame) => frame.function_id === 'app::f');
  await worker.settled();
  expect(fired).toBe(2);
});
