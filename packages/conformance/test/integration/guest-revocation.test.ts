import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';

const ROOM = '/stream/chat/room-1';
const DISCONNECT = 'engine::sessions::disconnect';
const match = (pattern: string) => ({ kind: 'match', pattern }) as const;
const REVOKED = { code: 1008, reason: 'access revoked' };

/** Starts an engine whose two listeners call `app::auth`. The function answers with the token in the query as identity. */
async function start(more: TestEngineOptions = {}, answer: Frame = {}) {
  const started = await startTestEngine({
    ...more,
    stream: { authFunction: 'app::auth', ...more.stream },
    guest: { rbac: { authFunction: 'app::auth', exposeFunctions: [match('app::*')], ...more.guest?.rbac } },
  });
  const worker = await RawWorker.connect(started.workerUrl);
  const identityOf = (data: unknown) => (data as { query_params: { token: string[] } }).query_params.token[0];
  await worker.serve('app::auth', (data) => ({ identity: identityOf(data), ...answer }));
  const set = (item: string) => worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: item, data: item });
  const guest = (who: string) => RawWorker.connect(`${started.guestUrl}/?token=${who}`);
  const page = async (who: string) => {
    const socket = await StreamSocket.open(`${started.streamUrl}${ROOM}?token=${who}`);
    await socket.take('sync');
    return socket;
  };
  return { ...started, worker, set, guest, page };
}

const closeOf = (socket: WebSocket) =>
  new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  );

test('D5 S19 a disconnect ends the sessions of an identity on all listeners at once, and no others', async () => {
  const { worker, guest, page, set } = await start();
  const [ann, other, ben] = [await guest('ann'), await guest('ann'), await guest('ben')];
  const [annPage, benPage] = [await page('ann'), await page('ben')];
  const closed = closeOf(annPage.socket);
  // The write follows in the same packet. It must find no session of ann.
  const answer = worker.call(DISCONNECT, { identity: 'ann' });
  const written = set('later');
  expect(await answer).toMatchObject({ result: { disconnected: 3 } });
  await written;
  await benPage.take('create');
  for (const session of [ann, other]) expect(await session.closed).toEqual(REVOKED);
  expect(await closed).toEqual(REVOKED);
  expect(annPage.kinds()).toEqual(['sync']);
  await ben.settled();
  expect(await worker.result(DISCONNECT, { identity: 'ann' })).toEqual({ disconnected: 0 });
});

test('D5 the functions, triggers and calls of a disconnected guest end with it', async () => {
  const { worker, guest } = await start();
  const ann = await guest('ann');
  await ann.serve('ui::slow', () => new Promise(() => {}));
  await ann.bind('state', 'ui::slow', {});
  await worker.serve('app::slow', () => new Promise(() => {}));
  ann.send({ type: 'invokefunction', invocation_id: 'made', function_id: 'app::slow', data: {} });
  await worker.take('invokefunction', ({ function_id }) => function_id === 'app::slow');
  const running = worker.call('ui::slow', {});
  await ann.take('invokefunction');
  await worker.result(DISCONNECT, { identity: 'ann' });
  expect(await running).toMatchObject({ error: { code: 'invocation_stopped' } });
  expect(await worker.errorCode('ui::slow', {})).toBe('function_not_found');
  expect(await worker.result('engine::registered-triggers::list', {})).toEqual({ registered_triggers: [] });
  expect(ann.inbox.all.filter(({ invocation_id }) => invocation_id === 'made')).toEqual([]);
});

test('D5 channels of a disconnected guest close with it', async () => {
  const { worker, workerUrl, guest, guestUrl } = await start();
  const ann = await guest('ann');
  type Ref = { channel_id: string; access_key: string };
  const { reader, writer } = (await ann.result('engine::channels::create', {})) as { reader: Ref; writer: Ref };
  const open = async (base: string, { channel_id, access_key }: Ref, dir: string) => {
    const socket = new WebSocket(`${base}/ws/channels/${channel_id}?key=${access_key}&dir=${dir}`);
    await new Promise((resolve) => socket.once('open', resolve));
    return socket;
  };
  const reading = await open(guestUrl, reader, 'read');
  const writing = await open(workerUrl, writer, 'write');
  const closes = [closeOf(reading), closeOf(writing)];
  await worker.result(DISCONNECT, { identity: 'ann' });
  expect(await Promise.all(closes)).toEqual([REVOKED, REVOKED]);
});

test('D5 a lease of a disconnected session ends, and a join that waits takes no effect', async () => {
  const { worker, streamUrl } = await start();
  const answers: ((value: unknown) => void)[] = [];
  await worker.serve('app::join', (data) =>
    (data as Frame).group_id === 'room-1'
      ? { lease: { item_id: 'ann', data: 1, grace_ms: 60_000 } }
      : new Promise((resolve) => answers.push(resolve)),
  );
  const left: unknown[] = [];
  await worker.serve('app::leave', (data) => void left.push((data as { group_id: string }).group_id));
  await worker.bind('stream:join', 'app::join', {});
  await worker.bind('stream:leave', 'app::leave', {});
  const watcher = await StreamSocket.open(`${streamUrl}${ROOM}?token=ann`);
  await watcher.take('sync');
  const items = () => worker.result('stream::list', { stream_name: 'chat', group_id: 'room-1' });
  while (((await items()) as unknown[]).length === 0);
  watcher.join('waits', 'chat', 'room-2');
  await worker.take('invokefunction', ({ data }) => (data as { group_id?: string }).group_id === 'room-2');
  await worker.result(DISCONNECT, { identity: 'ann' });
  while (((await items()) as unknown[]).length > 0);
  answers[0]?.({});
  await worker.take('invokefunction', ({ function_id, data }) => function_id === 'app::leave' && (data as Frame).group_id === 'room-2');
  expect(left).toEqual(['room-1', 'room-2']);
  expect(watcher.kinds().includes('unauthorized')).toBe(false);
});

/** Starts an engine whose auth function answers when the test says so. */
async function startWaiting() {
  const started = await start();
  const answers: ((value: unknown) => void)[] = [];
  await started.worker.serve('app::auth', () => new Promise((resolve) => answers.push(resolve)));
  const asked = () => started.worker.take('invokefunction', ({ function_id }) => function_id === 'app::auth');
  return { ...started, asked, answer: (value: unknown) => answers.shift()?.(value) };
}

test('D5 an auth answer that was asked for before a disconnect lets that identity in on no listener', async () => {
  const { worker, guestUrl, streamUrl, asked, answer } = await startWaiting();
  const refused = RawWorker.connect(guestUrl).catch((error: Error) => error.message);
  await asked();
  await worker.result(DISCONNECT, { identity: 'ann' });
  answer({ identity: 'ann' });
  expect(await refused).toBe('HTTP 401');
  const page = StreamSocket.open(streamUrl + ROOM);
  await asked();
  // The answer of the auth function and the disconnect arrive in one packet, in either order.
  worker.socket.send(JSON.stringify({ type: 'invokefunction', invocation_id: 'd', function_id: DISCONNECT, data: { identity: 'ann' } }));
  answer({ identity: 'ann' });
  const opened = await page;
  expect(await opened.closed).toBe(1008);
  expect(opened.inbox.all).toEqual([]);
  const others = RawWorker.connect(guestUrl);
  await asked();
  await worker.result(DISCONNECT, { identity: 'ann' });
  answer({ identity: 'ben' });
  await (await others).take('workerregistered');
  const again = RawWorker.connect(guestUrl);
  await asked();
  answer({ identity: 'ann' });
  await (await again).take('workerregistered');
});

test('D5 a refresh under way revives no disconnected session', async () => {
  const { worker, streamUrl, asked, answer, set } = await startWaiting();
  const opening = StreamSocket.open(streamUrl);
  await asked();
  answer({ identity: 'ann', expires_at_ms: Date.now() + 600_000 });
  const page = await opening;
  page.joinWithPositions('s', 'chat', 'room-1');
  await page.take('sync');
  page.send({ type: 'refresh', data: { token: 'fresh' } });
  await asked();
  await worker.result(DISCONNECT, { identity: 'ann' });
  answer({ identity: 'ann', expires_at_ms: Date.now() + 600_000 });
  await set('later');
  expect(await page.closed).toBe(1008);
  expect(page.inbox.all.filter(({ type }) => type === 'refreshed')).toEqual([]);
});

test('decision 2: a refresh with the token of another identity ends the session', async () => {
  const { page } = await start();
  const ann = await page('ann');
  ann.send({ type: 'refresh', data: { token: 'ben' } });
  expect(await ann.closed).toBe(1008);
});

test('D5 expires_at_ms ends a guest session, and one that is over lets nobody in', async () => {
  const { worker, guest } = await start();
  let left = 1_500;
  await worker.serve('app::auth', () => ({ identity: 'ann', expires_at_ms: Date.now() + left }));
  const ann = await guest('ann');
  await ann.serve('ui::f', () => 1);
  expect(await ann.closed).toEqual({ code: 1008, reason: 'access expired' });
  expect(await worker.errorCode('ui::f', {})).toBe('function_not_found');
  left = -1;
  await expect(guest('ann')).rejects.toThrow('HTTP 401');
});

test('D5 one session ends by its id, on either listener; a trusted worker has no such end', async () => {
  const { worker, workerUrl, guest, page } = await start();
  const ann = await guest('ann');
  const ben = await page('ben');
  const { sessions } = (await worker.result('engine::stream-sessions::list', {})) as {
    sessions: { session_id: string; identity: string }[];
  };
  expect(sessions.map(({ identity }) => identity)).toEqual(['ben']);
  expect(await worker.result(DISCONNECT, { session_id: sessions[0]?.session_id })).toEqual({ disconnected: 1 });
  expect(await worker.result(DISCONNECT, { session_id: await ann.workerId() })).toEqual({ disconnected: 1 });
  expect(await ben.closed).toBe(1008);
  expect(await ann.closed).toEqual(REVOKED);
  const trusted = await RawWorker.connect(workerUrl);
  expect(await worker.result(DISCONNECT, { session_id: await trusted.workerId() })).toEqual({ disconnected: 0 });
  await trusted.settled();
  for (const input of [{}, { identity: 'a', session_id: 'b' }]) expect(await worker.errorCode(DISCONNECT, input)).toBe('INVALID_ARGUMENTS');
  expect(await worker.errorCode(DISCONNECT, { identity: 1 })).toBe('deserialization_error');
});

test('D5 S13 a guest may disconnect only where a rule names exactly that id', async () => {
  const wide = await start({ guest: { rbac: { exposeFunctions: [match('engine::*'), match('*')] } } });
  const ann = await wide.guest('ann');
  expect(await ann.errorCode(DISCONNECT, { identity: 'ben' })).toBe('FORBIDDEN');
  ann.send({ type: 'registertrigger', id: 't', trigger_type: 'subscribe', function_id: DISCONNECT, config: { topic: 't' } });
  expect(await ann.take('triggerregistrationresult')).toMatchObject({ error: { code: 'FORBIDDEN' } });
  const named = await start({ guest: { rbac: { exposeFunctions: [match(DISCONNECT)] } } });
  const ben = await named.guest('ben');
  expect(await ben.result(DISCONNECT, { identity: 'ann' })).toEqual({ disconnected: 0 });
  // The session of the caller ends in the middle of its own call.
  ben.send({ type: 'invokefunction', invocation_id: 'own', function_id: DISCONNECT, data: { identity: 'ben' } });
  expect(await ben.closed).toEqual(REVOKED);
  await named.worker.settled();
});

test('D5 a guest that reads nothing is cut off, so that what waits for it is never delivered', async () => {
  const { worker, guest } = await start();
  const ann = await guest('ann');
  const large = 'x'.repeat(400_000);
  await worker.serve('app::large', () => large);
  ann.socket.pause();
  for (let n = 0; n < 40; n++) ann.send({ type: 'invokefunction', invocation_id: `c${n}`, function_id: 'app::large', data: {} });
  for (let n = 0; n < 40; n++) await worker.take('invokefunction', ({ function_id }) => function_id === 'app::large');
  await worker.settled();
  await worker.result(DISCONNECT, { identity: 'ann' });
  ann.socket.resume();
  // The session had unsent answers, so no Close frame could follow them, and the engine dropped the connection.
  expect((await ann.closed).code).toBe(1006);
});
