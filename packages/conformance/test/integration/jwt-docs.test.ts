import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from '@rivulet/client';
import { loadConfig, startEngine } from '@rivulet/engine';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { inSeconds, jwtConfig, SECRET, userToken } from '@rivulet/testkit/jwt-tokens';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';

const DOCUMENT = readFileSync(join(fileURLToPath(new URL('../../../../', import.meta.url)), 'docs/jwt.md'), 'utf8');

/** Returns the first block of code in this language. */
const block = (language: string) => new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(DOCUMENT)?.[1] ?? '';

test('the example of docs/jwt.md lets each user watch every chat and the own inbox', async () => {
  const cwd = directoryWith({ 'iii-config.yaml': block('yaml').replace(/port: \d+/g, 'port: 0') });
  const engine = await startEngine(loadConfig({ cwd, env: { JWT_SECRET: SECRET }, lenient: false }));
  onTestFinished(() => engine.stop());
  const port = engine.listeners.find(({ name }) => name === 'stream')?.port;
  const client = await StreamSocket.open(`ws://127.0.0.1:${port}/`, ['Authorization', userToken()]);
  client.joinWithPositions('s1', 'inbox', 'bob');
  expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'FORBIDDEN' });
  for (const [stream, group] of [
    ['chat', 'room-1'],
    ['inbox', 'ann'],
  ] as const) {
    client.joinWithPositions(group, stream, group);
    expect((await client.take('sync')).groupId).toBe(group);
  }
});

test('the claim in docs/jwt.md joins, calls and leases as the page says', async () => {
  const claims = JSON.parse(block('json')) as { rivulet: Record<string, string[]> };
  expect(Object.keys(claims.rivulet)).toEqual(['join', 'call', 'lease']);
  const cwd = directoryWith({ 'iii-config.yaml': block('yaml').replace(/port: \d+/g, 'port: 0') });
  const engine = await startEngine(loadConfig({ cwd, env: { JWT_SECRET: SECRET }, lenient: false }));
  onTestFinished(() => engine.stop());
  const port = engine.listeners.find(({ name }) => name === 'stream')?.port;
  const client = await StreamSocket.open(`ws://127.0.0.1:${port}/?token=${userToken({ rivulet: claims.rivulet })}`);
  client.joinWithPositions('s1', 'inbox', 'ann');
  expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'FORBIDDEN' });
  client.joinWithPositions('s2', 'presence', 'room-1');
  // The snapshot has the item, if it was stored before.
  await client.inbox.take(
    (frame) => (frame.event?.type === 'create' ? frame.id === 'ann' : frame.ids?.includes('ann') === true),
    'the item',
  );
});

test('a client with getToken, as in docs/jwt.md, keeps its connection and its views beyond exp', async () => {
  let now = Date.now();
  const { streamUrl, workerUrl } = await startTestEngine({
    stream: { jwt: jwtConfig({ grants: { join: ['chat/*'], call: [], lease: [] } }) },
    clock: { now: () => now, monotonic: () => performance.now() },
  });
  const worker = await RawWorker.connect(workerUrl);
  const exp = inSeconds(100);
  let tokens = 0;
  let refreshed = () => {};
  const afterRefresh = new Promise<void>((resolve) => (refreshed = resolve));
  class TappedSocket extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols);
      this.on('message', (data: Buffer) => {
        if (data.toString().startsWith('{"type":"refreshed"')) refreshed();
      });
    }
  }
  const client = connect(streamUrl, { WebSocket: TappedSocket, getToken: () => userToken({ exp: exp + 1_000 * tokens++ }) });
  onTestFinished(() => client.close());
  const view = client.subscribeGroup('chat', 'room-1');
  await view.whenLive();
  now = exp * 1_000 - 1_000;
  await afterRefresh;
  now = exp * 1_000 + 1;
  const changed = new Promise<void>((resolve) => view.subscribe(resolve));
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: 'a', data: 1 });
  await changed;
  expect([view.items.map(({ id }) => id), tokens, client.counters.connections]).toEqual([['a'], 2, 1]);
});
