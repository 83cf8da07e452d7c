import { type ConnectOptions, connect, type StreamClient } from '@rivulet/client';
import { LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { frame, OPCODE, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { askJson } from '../harness/admin-client.js';

const TOKEN = 'a-token/of=operators, with odd characters'.replaceAll(' ', '~');
const VIEWER = 'a-token-of-viewers';
const room = { stream_name: 'chat', group_id: 'room-1' };

const liveUrl = ({ adminUrl }: TestEngine) => `${adminUrl.replace('http', 'ws')}/live`;
const encoded = (token: string) => `base64url.${Buffer.from(token).toString('base64url')}`;

function openClient(engine: TestEngine, options: ConnectOptions = {}): StreamClient {
  const client = connect(liveUrl(engine), { WebSocket: WebSocket as unknown as NonNullable<ConnectOptions['WebSocket']>, ...options });
  onTestFinished(() => client.close());
  return client;
}

async function figures(engine: TestEngine, token?: string) {
  return askJson(engine.adminUrl, '/api/engine', token === undefined ? {} : { token });
}

describe('a session of /live', () => {
  it.each([
    ['the full token', { token: encoded(TOKEN), tokenAs: 'protocol' }],
    ['the token of viewers', { token: VIEWER }],
  ] as const)('shows a group and its changes to our client with %s', async (_what, options) => {
    const engine = await startTestEngine({ admin: { token: TOKEN, viewerToken: VIEWER } });
    const worker = await RawWorker.connect(engine.workerUrl);
    await worker.result('stream::set', { ...room, item_id: 'm1', data: { text: 'before' } });
    const changes = new Inbox<{ readonly type: string; readonly id: string }>();
    const view = openClient(engine, options).subscribeGroup('chat', 'room-1', { onChange: (change) => changes.push(change) });
    await view.whenLive();
    expect(view.items.map(({ id, data }) => [id, data])).toEqual([['m1', { text: 'before' }]]);
    await worker.result('stream::set', { ...room, item_id: 'm2', data: { text: 'live' } });
    expect(await changes.take(() => true)).toMatchObject({ type: 'create', id: 'm2' });
    await worker.result('stream::delete', { ...room, item_id: 'm1' });
    expect(await changes.take(() => true)).toMatchObject({ type: 'delete', id: 'm1' });
    expect(view.position).toMatchObject({ offset: 3 });
  });

  it('resumes at its position after the connection was lost', async () => {
    const engine = await startTestEngine({ admin: {} });
    const worker = await RawWorker.connect(engine.workerUrl);
    await worker.result('stream::set', { ...room, item_id: 'm1', data: 1 });
    const sockets: WebSocket[] = [];
    class Kept extends WebSocket {
      constructor(url: string, protocols?: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    }
    const changes = new Inbox<{ readonly id: string }>();
    let resets = 0;
    const client = openClient(engine, { WebSocket: Kept as unknown as NonNullable<ConnectOptions['WebSocket']> });
    const statuses = new Inbox<string>();
    const view = client.subscribeGroup('chat', 'room-1', {
      onChange: (change) => changes.push(change),
      onReset: () => void resets++,
      onStatus: (status) => statuses.push(status),
    });
    await view.whenLive();
    expect(resets).toBe(1);
    sockets[0]?.terminate();
    await statuses.take((status) => status !== 'live' && resets === 1, 'a lost connection');
    await worker.result('stream::set', { ...room, item_id: 'm2', data: 2 });
    expect((await changes.take(() => true)).id).toBe('m2');
    expect({ resets, opened: sockets.length }).toEqual({ resets: 1, opened: 2 });
  });

  it('joins by its path, as on the stream listener', async () => {
    const engine = await startTestEngine({ admin: {} });
    const worker = await RawWorker.connect(engine.workerUrl);
    await worker.result('stream::set', { ...room, item_id: 'm1', data: 1 });
    const client = await StreamSocket.open(`${liveUrl(engine)}/stream/chat/room-1?positions=1`);
    expect(await client.take('sync')).toMatchObject({ offset: 1, ids: ['m1'] });
  });

  it('joins without the auth function and the join functions, and gets no lease', async () => {
    const engine = await startTestEngine({ admin: {}, stream: { authFunction: 'app::auth', joinFailClosed: true } });
    const worker = await RawWorker.connect(engine.workerUrl);
    let calls = 0;
    await worker.serve('app::auth', () => void calls++);
    await worker.serve('app::join', () => {
      calls++;
      return { unauthorized: true };
    });
    await worker.serve('app::left', () => void calls++);
    await worker.bind('stream:join', 'app::join', {});
    await worker.bind('stream:leave', 'app::left', {});
    const client = await StreamSocket.open(liveUrl(engine));
    client.joinWithPositions('s1', 'chat', 'room-1');
    await client.take('sync');
    client.send({ type: 'lease', data: { subscriptionId: 's1', data: { typing: true } } });
    expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's1' });
    client.leave('s1', 'chat', 'room-1');
    await client.settled();
    await client.close();
    await worker.settled();
    expect(calls).toBe(0);
    expect(await worker.result('stream::list', room)).toEqual([]);
  });

  it('calls no function, also one that the stream listener exposes', async () => {
    const engine = await startTestEngine({ admin: {}, stream: { exposeFunctions: [{ kind: 'match', pattern: 'app::*' }] } });
    const worker = await RawWorker.connect(engine.workerUrl);
    let calls = 0;
    await worker.serve('app::fn', () => void calls++);
    await expect(openClient(engine).call('app::fn', {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(calls).toBe(0);
  });

  it('is no stream client: it has counts of its own, no list has it, and no disconnect reaches it', async () => {
    const engine = await startTestEngine({ admin: {} });
    const worker = await RawWorker.connect(engine.workerUrl);
    const client = await StreamSocket.open(liveUrl(engine));
    client.joinWithPositions('s1', 'chat', 'room-1');
    client.joinWithPositions('s2', 'chat', 'room-2', { id: 'm1' });
    await client.take('sync', ({ groupId }) => groupId === 'room-2');
    expect(await figures(engine)).toMatchObject({ sessions: 0, live_sessions: 1, watched_groups: 2 });
    expect(await askJson(engine.adminUrl, '/api/sessions')).toEqual({ rows: [] });
    expect(await worker.result('engine::stream-sessions::list', {})).toMatchObject({ count: 0 });
    expect(engine.engine.figures().sessions).toBe(0);
    const metrics = await (await fetch(`${engine.adminUrl}/metrics`)).text();
    for (const line of [
      'rivulet_stream_connections 0',
      'rivulet_stream_connections_opened_total 0',
      'rivulet_live_sessions 1',
      'rivulet_live_sessions_opened_total 1',
    ])
      expect(metrics).toContain(`\n${line}\n`);
    const disconnect = (json: object) => askJson(engine.adminUrl, '/api/sessions/disconnect', { method: 'POST', json });
    for (const identity of ['null', 'undefined', 'admin']) expect(await disconnect({ identity })).toEqual({ disconnected: 0 });
    await worker.result('stream::set', { ...room, item_id: 'm1', data: 1 });
    expect((await client.take('create')).id).toBe('m1');
    await client.close();
    expect(await figures(engine)).toMatchObject({ live_sessions: 0 });
  });

  it('has a bound on its joins, and no join beyond it has an effect', async () => {
    const engine = await startTestEngine({ admin: {} });
    const client = await StreamSocket.open(liveUrl(engine));
    for (let n = 0; n < LIMITS.liveJoins + 1; n++) client.joinWithPositions(`s${n}`, 'chat', `room-${n}`);
    expect(await client.takeControl('error')).toMatchObject({ subscriptionId: `s${LIMITS.liveJoins}`, code: 'TOO_MANY_SUBSCRIPTIONS' });
    expect(await figures(engine)).toMatchObject({ watched_groups: LIMITS.liveJoins });
  });

  it('that floods the engine with joins is not read beyond its rate, and others go on', async () => {
    const engine = await startTestEngine({ admin: {} });
    const flooder = await RawSocket.upgrade(liveUrl(engine), '/live');
    const join = (n: number) => JSON.stringify({ type: 'join', data: { subscriptionId: 's', streamName: 'chat', groupId: `flood-${n}` } });
    flooder.write(Buffer.concat(Array.from({ length: 20_000 }, (_, n) => frame({ opcode: OPCODE.text, payload: join(n) }))));
    while (!engine.log.some(({ event }) => event === 'rate_limited')) await figures(engine);
    expect(engine.log.filter(({ event }) => event === 'rate_limited')).toMatchObject([
      { level: 'warn', fields: { code: 'RATE_LIMITED', listener: 'admin', of: 'joins' } },
    ]);
    const { watched_groups: watched } = await figures(engine);
    expect(watched).toBeLessThan(2_500);
    const view = openClient(engine).subscribeGroup('chat', 'room-1');
    await view.whenLive();
  });

  it('closes with 1012 when the engine begins to stop', async () => {
    const engine = await startTestEngine({ admin: {} });
    const client = await StreamSocket.open(`${liveUrl(engine)}/stream/chat/room-1`);
    await client.take('sync');
    await engine.stop();
    expect(await client.closed).toBe(1012);
  });
});

describe('the connections of /live', () => {
  it('have a bound; a further one gets 503 and probes go on, until one of them has ended', async () => {
    const engine = await startTestEngine({ admin: {} });
    const open = () => StreamSocket.open(liveUrl(engine));
    const clients = await Promise.all(Array.from({ length: LIMITS.liveConnections }, open));
    await expect(open()).rejects.toThrow('HTTP 503');
    expect(engine.log.filter(({ event }) => event === 'live_connections_full')).toMatchObject([
      { fields: { limit: LIMITS.liveConnections } },
    ]);
    expect((await fetch(`${engine.adminUrl}/health`)).status).toBe(200);
    await clients[0]?.close();
    while ((await figures(engine)).live_sessions !== LIMITS.liveConnections - 1);
    for (;;)
      if (
        await open().then(
          () => true,
          () => false,
        )
      )
        break;
  });
});
