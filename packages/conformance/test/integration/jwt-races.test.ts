import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { inSeconds, jwtConfig, userToken as token } from '@rivulet/testkit/jwt-tokens';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const BOTH = { rivulet: { join: ['chat/*', 'news/*'] } };

/** An engine with join and leave functions. `during.join` runs before the join function allows. */
async function start() {
  const clock = { time: Date.now() };
  const started = await startTestEngine({
    stream: { jwt: jwtConfig() },
    admin: {},
    clock: { now: () => clock.time, monotonic: () => performance.now() },
  });
  const { adminUrl, streamUrl } = started;
  const worker = await RawWorker.connect(started.workerUrl);
  const left = new Inbox<{ readonly group_id: string }>();
  const during = { join: (): Promise<void> | undefined => undefined };
  await worker.serve('app::join', async () => {
    await during.join();
    return {};
  });
  await worker.serve('app::leave', (data) => left.push(data as { group_id: string }));
  await worker.bind('stream:join', 'app::join', {});
  await worker.bind('stream:leave', 'app::leave', {});
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: 'a', data: 1 });
  const url = streamUrl.replace('ws:', 'http:');
  const read = (path: string, claims: object, headers: Record<string, string> = {}) =>
    fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token(claims)}`, ...headers } });
  return { adminUrl, worker, streamUrl, clock, left, during, read };
}

test('a token that expires while a join function decides reads nothing', async () => {
  const { clock, during, read, left, adminUrl } = await start();
  const exp = inSeconds(100);
  during.join = () => {
    clock.time = exp * 1_000;
    return undefined;
  };
  const again = () => (clock.time = exp * 1_000 - 1);
  const claims = { ...BOTH, exp };
  const ways: readonly (readonly [path: string, headers?: Record<string, string>])[] = [
    ['/stream/chat/room-1'],
    ['/stream/chat/room-1/a'],
    ['/stream/chat/room-1?since=0&wait=60'],
    ['/stream/chat/room-1', { accept: 'text/event-stream' }],
    ['/events?group=chat/room-1'],
  ];
  for (const [path, headers] of ways) {
    again();
    const answer = await read(path, claims, headers);
    expect([path, answer.status, await answer.json()]).toMatchObject([path, 401, { error: { code: 'UNAUTHORIZED' } }]);
  }
  // The functions allowed both event streams, so they learn that nobody watches.
  for (let streams = 0; streams < 2; streams++) expect(await left.take(() => true)).toMatchObject({ group_id: 'room-1' });
  expect(await (await fetch(`${adminUrl}/metrics`)).text()).toContain('\nrivulet_stream_event_streams 0\n');
});

test('a join that a refresh withdraws while its function decides is refused, and the leave functions learn it', async () => {
  const { streamUrl, during, left } = await start();
  let allow: () => void = () => {};
  const asked = new Promise<void>((resolve) => {
    during.join = () => {
      resolve();
      return new Promise((allowed) => (allow = allowed));
    };
  });
  const client = await StreamSocket.open(`${streamUrl}/?token=${token(BOTH)}`);
  client.joinWithPositions('s1', 'chat', 'room-1');
  await asked;
  client.send({ type: 'refresh', data: { token: token({ rivulet: { join: ['news/*'] } }) } });
  await client.takeControl('refreshed');
  allow();
  expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'FORBIDDEN' });
  expect(await left.take(() => true)).toMatchObject({ subscription_id: 's1', stream_name: 'chat', group_id: 'room-1' });
});

test('a lease that a refresh withdraws while the join function decides is not taken', async () => {
  const { streamUrl, during, worker } = await start();
  const LEASE = { rivulet: { lease: ['chat/*'] } };
  const client = await StreamSocket.open(`${streamUrl}/?token=${token(LEASE)}`);
  during.join = async () => {
    client.send({ type: 'refresh', data: { token: token(BOTH) } });
    await client.takeControl('refreshed');
  };
  client.joinWithPositions('s1', 'chat', 'room-1');
  await client.take('sync');
  client.send({ type: 'lease', data: { subscriptionId: 's1', data: 1 } });
  expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'FORBIDDEN' });
  expect(await worker.result('stream::get', { stream_name: 'chat', group_id: 'room-1', item_id: 'ann' })).toBe(undefined);
});

test('a refresh that leaves one item of a group withdraws the others at once', async () => {
  const { streamUrl, worker } = await start();
  const client = await StreamSocket.open(`${streamUrl}/?token=${token({ rivulet: { join: ['chat/room-1'] } })}`);
  client.joinWithPositions('all', 'chat', 'room-1');
  client.joinWithPositions('one', 'chat', 'room-1', { id: 'mine' });
  for (let joins = 0; joins < 2; joins++) await client.take('sync');
  client.send({ type: 'refresh', data: { token: token({ rivulet: { join: ['chat/room-1/mine'] } }) } });
  expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 'all', code: 'FORBIDDEN' });
  await client.takeControl('refreshed');
  for (const item_id of ['other', 'mine'])
    await worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id, data: 2 });
  expect((await client.take('create')).id).toBe('mine');
  expect(client.inbox.all.filter(({ id }) => id === 'other')).toEqual([]);
});
