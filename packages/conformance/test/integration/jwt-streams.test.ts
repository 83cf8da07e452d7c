import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { inSeconds, jwtConfig, SECRET, userToken as token } from '@rivulet/testkit/jwt-tokens';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const CHAT = { rivulet: { join: ['chat/*'] } };

async function start(stream: NonNullable<TestEngineOptions['stream']> = {}, more: Omit<TestEngineOptions, 'stream'> = {}) {
  const started = await startTestEngine({ stream: { jwt: jwtConfig(), authRejectMode: 'http', ...stream }, ...more });
  const worker = await RawWorker.connect(started.workerUrl);
  return { ...started, worker };
}

const refusedWith = async (opening: Promise<unknown>) =>
  await opening.then(
    () => 'connected',
    (error: Error) => error.message,
  );

test('a token lets a client in by header, by sub-protocol and by query, and each join needs a grant', async () => {
  const { streamUrl, log } = await start();
  const good = token(CHAT);
  const ways = [
    StreamSocket.open(`${streamUrl}/stream/chat/room-1`, [], { headers: { authorization: `Bearer ${good}` } }),
    StreamSocket.open(`${streamUrl}/stream/chat/room-1`, ['Authorization', good]),
    StreamSocket.open(`${streamUrl}/stream/chat/room-1?token=${good}`),
  ];
  for (const way of ways) expect((await (await way).take('sync')).groupId).toBe('room-1');
  const client = await StreamSocket.open(`${streamUrl}/?token=${good}`);
  client.joinWithPositions('s1', 'orders', 'all');
  expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'FORBIDDEN' });
  client.joinWithPositions('s2', 'chat', 'room-2');
  expect((await client.take('sync')).groupId).toBe('room-2');

  expect(await refusedWith(StreamSocket.open(streamUrl))).toBe('HTTP 401');
  expect(await refusedWith(StreamSocket.open(`${streamUrl}/?token=${token(CHAT, 'x'.repeat(48))}`))).toBe('HTTP 401');
  expect(await refusedWith(StreamSocket.open(`${streamUrl}/?token=${token({ ...CHAT, exp: inSeconds(-1) })}`))).toBe('HTTP 401');
  const reasons = log.filter(({ event }) => event === 'auth_refused').map(({ fields }) => fields.reason);
  expect(reasons).toEqual(['token_missing', 'signature_wrong', 'token_expired']);
});

test('a token without grants connects and joins nothing', async () => {
  const { streamUrl } = await start();
  const client = await StreamSocket.open(`${streamUrl}/?token=${token({})}`);
  client.joinWithPositions('s1', 'chat', 'room-1');
  expect(await client.takeControl('error')).toMatchObject({ code: 'FORBIDDEN' });
});

test('grants of the configuration put the subject into their patterns', async () => {
  const { streamUrl } = await start({ jwt: jwtConfig({ grants: { join: ['inbox/{sub}'], call: [], lease: [] } }) });
  const client = await StreamSocket.open(`${streamUrl}/?token=${token({ sub: 'bob' })}`);
  client.joinWithPositions('s1', 'inbox', 'ann');
  expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'FORBIDDEN' });
  client.joinWithPositions('s2', 'inbox', 'bob');
  expect((await client.take('sync')).groupId).toBe('bob');
  expect(await refusedWith(StreamSocket.open(`${streamUrl}/?token=${token({ sub: '*' })}`))).toBe('HTTP 401');
});

test('a session ends at exp, unless the client sends another token', async () => {
  const started = Date.now();
  let now = started;
  const { streamUrl } = await start({}, { clock: { now: () => now, monotonic: () => performance.now() } });
  const exp = inSeconds(100);
  const [stays, ends] = await Promise.all([
    StreamSocket.open(`${streamUrl}/`, ['Authorization', token({ ...CHAT, exp })]),
    StreamSocket.open(`${streamUrl}/`, ['Authorization', token({ ...CHAT, exp })]),
  ]);
  for (const client of [stays, ends]) {
    client.joinWithPositions('s1', 'chat', 'room-1');
    await client.take('sync');
  }
  now = exp * 1_000 - 1_000;
  expect(await stays.takeControl('expiring')).toEqual({ expiresAtMs: exp * 1_000 });
  stays.send({ type: 'refresh', data: { token: token({ ...CHAT, exp: exp + 1_000 }) } });
  expect(await stays.takeControl('refreshed')).toEqual({ expiresAtMs: (exp + 1_000) * 1_000 });
  now = exp * 1_000;
  expect(await ends.closed).toBe(1008);
  stays.joinWithPositions('s2', 'chat', 'room-2');
  expect((await stays.take('sync')).groupId).toBe('room-2');
});

test('a refresh with fewer grants ends the joins that it does not allow; one of another user ends the session', async () => {
  const { streamUrl, worker } = await start();
  const client = await StreamSocket.open(`${streamUrl}/?token=${token({ rivulet: { join: ['chat/*', 'news/*'] } })}`);
  client.joinWithPositions('s1', 'chat', 'room-1');
  client.joinWithPositions('s2', 'news', 'today');
  await client.take('sync');
  await client.take('sync');
  client.send({ type: 'refresh', data: { token: token({ rivulet: { join: ['news/*'] } }) } });
  expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'FORBIDDEN' });
  await client.takeControl('refreshed');
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: 'a', data: 1 });
  await worker.result('stream::set', { stream_name: 'news', group_id: 'today', item_id: 'b', data: 2 });
  expect((await client.take('create')).groupId).toBe('today');
  client.send({ type: 'refresh', data: { token: token({ sub: 'bob', ...CHAT }) } });
  expect(await client.closed).toBe(1008);
});

test('an auth function and join functions decide too, with the claims of the token; all must allow', async () => {
  const { streamUrl, worker } = await start({ authFunction: 'app::auth' });
  const asked: unknown[] = [];
  await worker.serve('app::auth', (data) => {
    const { claims } = data as { claims: { sub: string; role: string } };
    asked.push(claims.role);
    return claims.sub === 'bob' ? { unauthorized: true } : { identity: 'somebody else', context: { role: claims.role } };
  });
  const joins: unknown[] = [];
  await worker.serve('app::join', (data) => {
    joins.push(data);
    return { unauthorized: (data as { group_id: string }).group_id === 'closed' };
  });
  await worker.bind('stream:join', 'app::join', {});
  expect(await refusedWith(StreamSocket.open(`${streamUrl}/?token=${token({ ...CHAT, sub: 'bob', role: 'guest' })}`))).toBe('HTTP 401');
  expect(await refusedWith(StreamSocket.open(`${streamUrl}/?token=${token(CHAT, 'x'.repeat(48))}`))).toBe('HTTP 401');
  expect(asked).toEqual(['guest']);
  const client = await StreamSocket.open(`${streamUrl}/?token=${token({ ...CHAT, role: 'reader' })}`);
  for (const [id, stream, group] of [
    ['s1', 'orders', 'a'],
    ['s2', 'chat', 'closed'],
    ['s3', 'chat', 'open'],
  ] as const)
    client.joinWithPositions(id, stream, group);
  expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's1' });
  expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's2' });
  expect((await client.take('sync')).groupId).toBe('open');
  expect(joins).toMatchObject([
    { group_id: 'closed', identity: 'ann', context: { role: 'reader' } },
    { group_id: 'open', identity: 'ann', context: { role: 'reader' } },
  ]);
});

test('an auth function that fails open lets nobody in without a right token, and widens no grant', async () => {
  const { streamUrl } = await start({ authFunction: 'app::nobody', authFailOpen: true });
  expect(await refusedWith(StreamSocket.open(streamUrl))).toBe('HTTP 401');
  expect(await refusedWith(StreamSocket.open(`${streamUrl}/?token=${token(CHAT, 'x'.repeat(48))}`))).toBe('HTTP 401');
  const client = await StreamSocket.open(`${streamUrl}/?token=${token(CHAT)}`);
  client.joinWithPositions('s1', 'orders', 'all');
  expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'FORBIDDEN' });
  client.joinWithPositions('s2', 'chat', 'room-1');
  expect((await client.take('sync')).groupId).toBe('room-1');
});

test('a lease of the token holds the item of its user, whose data the client sets', async () => {
  const { streamUrl, worker } = await start();
  const watcher = await StreamSocket.open(`${streamUrl}/?token=${token({ sub: 'bob', rivulet: { join: ['presence/*'] } })}`);
  watcher.joinWithPositions('w', 'presence', 'room-1');
  await watcher.take('sync');
  const client = await StreamSocket.open(`${streamUrl}/?token=${token({ rivulet: { lease: ['presence/*'] } })}`);
  client.joinWithPositions('s1', 'presence', 'room-1');
  expect((await watcher.take('create')).id).toBe('ann');
  client.send({ type: 'lease', data: { subscriptionId: 's1', data: { typing: true } } });
  expect((await watcher.take('update')).event.data).toMatchObject({ typing: true });
  watcher.send({ type: 'lease', data: { subscriptionId: 'w', data: { typing: true } } });
  expect(await watcher.takeControl('error')).toMatchObject({ code: 'FORBIDDEN' });
  client.send({ type: 'leave', data: { subscriptionId: 's1' } });
  expect((await watcher.take('delete')).id).toBe('ann');
  expect(await worker.result('engine::sessions::disconnect', { identity: 'ann' })).toEqual({ disconnected: 1 });
  expect(await client.closed).toBe(1008);
});

test('a refresh without a lease ends the lease of the token, and keeps that of a join function', async () => {
  const { streamUrl, worker } = await start();
  await worker.serve('app::join', (data) => {
    const { group_id: group, identity } = data as { group_id: string; identity: string };
    return group === 'of-function' && identity === 'ann' ? { lease: { item_id: 'seat', data: 1 } } : {};
  });
  await worker.bind('stream:join', 'app::join', {});
  const watcher = await StreamSocket.open(`${streamUrl}/?token=${token({ sub: 'bob', rivulet: { join: ['presence/*'] } })}`);
  const client = await StreamSocket.open(`${streamUrl}/?token=${token({ rivulet: { lease: ['presence/*'] } })}`);
  for (const group of ['of-function', 'of-token']) {
    watcher.joinWithPositions(group, 'presence', group, { id: group === 'of-token' ? 'ann' : 'seat' });
    await watcher.take('sync');
    client.joinWithPositions(group, 'presence', group);
    await watcher.take('create');
  }
  client.send({ type: 'refresh', data: { token: token({ rivulet: { join: ['presence/*'] } }) } });
  await client.takeControl('refreshed');
  expect(await watcher.take('delete')).toMatchObject({ groupId: 'of-token', id: 'ann' });
  client.send({ type: 'leave', data: { subscriptionId: 'of-function' } });
  expect(await watcher.take('delete')).toMatchObject({ groupId: 'of-function', id: 'seat' });
});

test('S10 no token and no secret is in the log', async () => {
  const { streamUrl, log } = await start();
  const tokens = [token(CHAT), token(CHAT, 'x'.repeat(48)), token({ ...CHAT, exp: 1 })];
  for (const each of tokens) await StreamSocket.open(`${streamUrl}/?token=${each}`).catch(() => {});
  const text = JSON.stringify(log);
  for (const secret of [SECRET, ...tokens.flatMap((each) => each.split('.').slice(1))]) expect(text).not.toContain(secret);
});
