import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { askWhy, sessionOf } from '@rivulet/testkit/why/seeded-causes';
import { describe, expect, it } from 'vitest';
import { ask } from '../harness/admin-client.js';

const PLACE = { stream: 'chat', group: 'lobby' };
const UNBOUNDED = { maxBytes: undefined, maxAgeMs: undefined };
const ROOM = { stream_name: 'chat', group_id: 'lobby' };

async function world(options: TestEngineOptions = {}) {
  const engine = await startTestEngine({ admin: {}, ...options });
  const worker = await RawWorker.connect(engine.workerUrl);
  const set = (item_id: string, more: object = {}) => worker.result('stream::set', { ...ROOM, item_id, data: { id: item_id }, ...more });
  const open = (query = '') => StreamSocket.open(`${engine.streamUrl}/${query}`);
  const joined = async (item?: string) => {
    const client = await open();
    client.join('s1', 'chat', 'lobby', item);
    await client.take('sync');
    return client;
  };
  return { engine, worker, set, open, joined };
}

describe('a change that was handed over', () => {
  it('has the time of its flush, by offset, item or group', async () => {
    const { engine, set, joined } = await world();
    const client = await joined();
    const before = Date.now();
    await set('m1');
    await set('m2');
    await client.take('create', ({ id }) => id === 'm2');
    const session = await sessionOf(engine);
    const newest = await askWhy(engine, { session, ...PLACE });
    expect(newest).toMatchObject({ cause: 'delivered', offset: 2, detail: { by: 'flush', item: 'm2', session_id: session } });
    expect(newest.at).toBeGreaterThanOrEqual(before - 1);
    expect(newest.at).toBeLessThanOrEqual(Date.now() + 1);
    expect(await askWhy(engine, { session, ...PLACE, item: 'm1' })).toMatchObject({ cause: 'delivered', offset: 1 });
    expect(await askWhy(engine, { session, ...PLACE, offset: 1 })).toMatchObject({ cause: 'delivered', detail: { item: 'm1' } });
  });

  it('was before the join, or the client had it already', async () => {
    const { engine, set, joined, open } = await world();
    await set('m1');
    const first = await joined();
    await set('m2');
    await first.take('create');
    const early = await sessionOf(engine);
    expect(await askWhy(engine, { session: early, ...PLACE, item: 'm1' })).toMatchObject({
      cause: 'in_sync',
      offset: 1,
      detail: { joined_at_offset: 1 },
    });
    await first.close();
    const second = await open();
    second.joinWithPositions('s1', 'chat', 'lobby');
    const { epoch } = await second.take('sync');
    await second.close();
    const third = await open();
    third.joinWithPositions('s1', 'chat', 'lobby', { since: `${epoch}:1` });
    await third.takeControl('resumed');
    await third.take('create');
    const session = await sessionOf(engine);
    expect(await askWhy(engine, { session, ...PLACE, offset: 1 })).toMatchObject({ cause: 'had_already', detail: { joined_at_offset: 1 } });
    expect(await askWhy(engine, { session, ...PLACE, offset: 2 })).toMatchObject({ cause: 'delivered', detail: { by: 'catch_up' } });
    expect(await askWhy(engine, { session, ...PLACE, offset: 3 })).toMatchObject({ cause: 'never_written', detail: { head: 2 } });
    expect(await askWhy(engine, { session, ...PLACE, item: 'm1', offset: 2 })).toMatchObject({
      cause: 'never_written',
      detail: { item_of_offset: 'm2' },
    });
  });

  it('came with a resync, because the client was behind the log', async () => {
    const { engine, set, worker, joined } = await world({ stream: { logMaxChanges: 4 } });
    const client = await joined();
    client.socket.pause();
    const text = 'x'.repeat(500_000);
    const session = await sessionOf(engine);
    let item = 0;
    while ((await askWhy(engine, { session, ...PLACE })).cause !== 'behind') await set(`m${++item % 4}`, { data: { text } });
    const { detail } = await askWhy(engine, { session, ...PLACE });
    for (let n = 0; n < 8; n++) await set(`m${n % 4}`);
    client.socket.resume();
    await client.take('sync', ({ id }) => id === null && client.inbox.all.length > 1);
    await worker.settled();
    expect(await askWhy(engine, { session, ...PLACE, offset: Number(detail.through) + 1 })).toMatchObject({
      cause: 'resynced',
      detail: { mode: 'sync', reason: 'behind' },
    });
  });
});

describe('a change before the log of its group', () => {
  it('is of an item that nobody knows any more, when a later change of the item followed', async () => {
    const { engine, set, joined } = await world({ stream: { logMaxChanges: 1 } });
    const client = await joined('m1');
    await set('m1');
    await set('m1');
    await set('m1');
    await client.take('update');
    await client.take('update');
    const session = await sessionOf(engine);
    const question = { session, ...PLACE };
    expect(await askWhy(engine, { ...question, offset: 3 })).toMatchObject({ cause: 'delivered', detail: { item: 'm1' } });
    expect(await askWhy(engine, { ...question, offset: 2 })).toMatchObject({
      cause: 'not_known_any_more',
      detail: { missing: 'item_of_offset' },
    });
  });
});

describe('a client that was not let in', () => {
  it('is found by its address, and by the identity that the auth function named', async () => {
    const { engine, worker } = await world({ stream: { authFunction: 'app::auth' } });
    await worker.serve('app::auth', () => ({ unauthorized: true, identity: 'eve' }));
    const refused = await StreamSocket.open(`${engine.streamUrl}/?token=1`);
    await refused.closed;
    for (const session of ['127.0.0.1', 'eve'])
      expect(await askWhy(engine, { session, ...PLACE })).toMatchObject({
        cause: 'upgrade_refused',
        detail: { by: 'auth_function', reason: 'unauthorized', address: '127.0.0.1' },
      });
    expect(await askWhy(engine, { session: 'adam', ...PLACE })).toMatchObject({ cause: 'unknown_session' });
  });

  it('is found by its address when it reads by plain HTTP', async () => {
    const { engine, worker } = await world();
    await worker.serve('app::may-join', () => ({ unauthorized: true }));
    await worker.bind('stream:join', 'app::may-join', {});
    const base = engine.streamUrl.replace('ws:', 'http:');
    for (const path of ['/stream/chat/lobby', '/events?group=chat/lobby']) {
      const { status } = await ask(base, path, { headers: { accept: path.startsWith('/events') ? 'text/event-stream' : '*/*' } });
      expect(status).toBe(403);
      expect(await askWhy(engine, { session: '127.0.0.1', ...PLACE })).toMatchObject({
        cause: 'upgrade_refused',
        detail: { by: 'stream_join', reason: 'unauthorized' },
      });
    }
  });

  it('waits for the functions of its join', async () => {
    const { engine, worker, open } = await world();
    let answer: (value: unknown) => void = () => {};
    const answered = new Promise((resolve) => {
      answer = resolve;
    });
    await worker.serve('app::may-join', () => answered);
    await worker.bind('stream:join', 'app::may-join', {});
    const client = await open();
    client.join('s1', 'chat', 'lobby');
    await worker.take('invokefunction', ({ function_id }) => function_id === 'app::may-join');
    const session = await sessionOf(engine);
    expect(await askWhy(engine, { session, ...PLACE })).toMatchObject({ cause: 'join_waiting' });
    answer({});
    await client.take('sync');
    expect(await askWhy(engine, { session, ...PLACE })).toMatchObject({ cause: 'never_written' });
  });

  it('has too many joins', async () => {
    const { engine, open } = await world({ stream: { maxSubscriptionsPerConnection: 1 } });
    const client = await open();
    client.joinWithPositions('s1', 'chat', 'other');
    await client.take('sync');
    client.joinWithPositions('s2', 'chat', 'lobby');
    await client.takeControl('error');
    expect(await askWhy(engine, { session: await sessionOf(engine), ...PLACE })).toMatchObject({
      cause: 'join_refused',
      detail: { by: 'bound', reason: 'TOO_MANY_SUBSCRIPTIONS' },
    });
  });
});

describe('a session that has ended', () => {
  it('is found by id and by identity, with its reason, and with what it got before', async () => {
    const { engine, worker, set } = await world({ stream: { authFunction: 'app::auth' } });
    await worker.serve('app::auth', () => ({ identity: 'ann' }));
    const client = await StreamSocket.open(`${engine.streamUrl}/stream/chat/lobby`);
    await client.take('sync');
    await set('m1');
    await client.take('create');
    const session = await sessionOf(engine);
    await ask(engine.adminUrl, '/api/sessions/disconnect', { method: 'POST', json: { session_id: session } });
    await client.closed;
    await set('m2');
    for (const name of [session, 'ann']) {
      expect(await askWhy(engine, { session: name, ...PLACE, item: 'm2' })).toMatchObject({
        cause: 'session_ended',
        detail: { because: 'revoked', through: 1, session_id: session, identity: 'ann' },
      });
      expect(await askWhy(engine, { session: name, ...PLACE, item: 'm1' })).toMatchObject({ cause: 'delivered', offset: 1 });
    }
  });

  it('may be one of several of an identity', async () => {
    const { engine, worker, set } = await world({ stream: { authFunction: 'app::auth' } });
    await worker.serve('app::auth', () => ({ identity: 'ann' }));
    const first = await StreamSocket.open(`${engine.streamUrl}/stream/chat/lobby`);
    await first.take('sync');
    const second = await StreamSocket.open(`${engine.streamUrl}/stream/chat/other`);
    await second.take('sync');
    await set('m1');
    await first.take('create');
    const { cause, detail } = await askWhy(engine, { session: 'ann', ...PLACE });
    expect(cause).toBe('several_sessions');
    expect(detail).toMatchObject({ answers: [{ cause: 'delivered' }, { cause: 'not_joined' }], more: false });
  });
});

describe('an item that was deleted', () => {
  it('by a call, by the end of a lease, or by a bound of its group', async () => {
    const groupBounds = [{ streams: 'chat', maxItems: 2, ...UNBOUNDED, onFull: 'delete_oldest' as const }];
    const { engine, worker, set, joined, open } = await world({ stream: { groupBounds } });
    await worker.serve('app::lease', (input) => {
      const { subscription_id } = input as { subscription_id: string };
      return subscription_id === 'owner' ? { lease: { item_id: 'here', data: { id: 'here' } } } : {};
    });
    await worker.bind('stream:join', 'app::lease', { stream_name: 'presence' });
    const client = await joined();
    client.join('s2', 'presence', 'lobby');
    await client.take('sync', ({ streamName }) => streamName === 'presence');
    await set('m1');
    await worker.result('stream::delete', { ...ROOM, item_id: 'm1' });
    await set('m2');
    await set('m3');
    await set('m4');
    await client.take('delete', ({ id }) => id === 'm2');
    const session = await sessionOf(engine);
    const call = await askWhy(engine, { session, ...PLACE, item: 'm1' });
    expect(call).toMatchObject({ cause: 'deleted_by_call', detail: { delete: { cause: 'delivered', offset: 2 } } });
    expect(await askWhy(engine, { session, ...PLACE, item: 'm2' })).toMatchObject({ cause: 'deleted_by_bound' });
    const owner = await open();
    owner.join('owner', 'presence', 'lobby');
    await client.take('create', ({ id }) => id === 'here');
    owner.leave('owner', 'presence', 'lobby');
    await client.take('delete', ({ id }) => id === 'here');
    const lease = await askWhy(engine, { session, stream: 'presence', group: 'lobby', item: 'here' });
    expect(lease).toMatchObject({ cause: 'deleted_by_lease', detail: { delete: { cause: 'delivered', detail: { by: 'flush' } } } });
  });
});

describe('a write that was refused', () => {
  it('by a limit, and then succeeds', async () => {
    const groupBounds = [{ streams: 'chat', maxItems: 1, ...UNBOUNDED, onFull: 'refuse' as const }];
    const { engine, worker, set, joined } = await world({ stream: { groupBounds } });
    const client = await joined();
    await set('m1');
    expect(await worker.errorCode('stream::set', { ...ROOM, item_id: 'm2', data: 1 })).toBe('GROUP_FULL');
    const session = await sessionOf(engine);
    expect(await askWhy(engine, { session, ...PLACE, item: 'm2' })).toMatchObject({
      cause: 'refused_by_limit',
      detail: { code: 'GROUP_FULL' },
    });
    await worker.result('stream::delete', { ...ROOM, item_id: 'm1' });
    await set('m2');
    await client.take('create', ({ id }) => id === 'm2');
    expect(await askWhy(engine, { session, ...PLACE, item: 'm2' })).toMatchObject({ cause: 'delivered' });
  });
});

describe('the path', () => {
  it('refuses a question that it can not read', async () => {
    const { adminUrl } = await startTestEngine({ admin: {} });
    const bad = [
      '',
      'session=a&stream=b',
      'session=a&stream=b&group=c&offset=0',
      'session=a&stream=b&group=c&offset=x',
      'session=a&stream=b&group=c&more=1',
    ];
    for (const query of [...bad, `session=a&stream=b&group=${'g'.repeat(300)}`]) {
      const { status } = await ask(adminUrl, `/api/why?${query}`);
      expect({ query, status }).toEqual({ query, status: 400 });
    }
  });
});
