import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { EventStream } from '@rivulet/testkit/peers/event-stream';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, it } from 'vitest';
import { ask, askJson } from '../harness/admin-client.js';

type Row = Readonly<Record<string, unknown>>;
type Rows = readonly Row[];

async function start() {
  const started = await startTestEngine({ admin: {}, stream: { authFunction: 'app::auth' } });
  const worker = await RawWorker.connect(started.workerUrl);
  await worker.serve('app::auth', (input) => {
    const [user] = (input as { query_params: { user: string[] } }).query_params.user;
    return { allowed: true, identity: user, expires_at_ms: Date.now() + 3_600_000 };
  });
  const set = (group: string, item: string, data: unknown) =>
    worker.result('stream::set', { stream_name: 'chat', group_id: group, item_id: item, data });
  return { ...started, worker, set };
}

async function sessionOf(adminUrl: string, identity: string): Promise<Row> {
  const { rows } = (await askJson(adminUrl, `/api/sessions?search=${identity}`)) as { rows: Rows };
  return rows[0] ?? {};
}

describe('one session', () => {
  it('has its joins with the position of each, over pages', async () => {
    const { adminUrl, streamUrl, set } = await start();
    await set('r0', 'a', 1);
    const begun = Date.now();
    const socket = await StreamSocket.open(`${streamUrl}/?user=ann`);
    for (let n = 0; n < 5; n++) socket.joinWithPositions(`s${n}`, 'chat', `r${n}`);
    socket.joinWithPositions('item', 'chat', 'r0', { id: 'a' });
    await socket.inbox.take(({ id }) => id === 'a', 'the item');
    await set('r0', 'b', 2);
    await socket.inbox.take(({ id }) => id === 'b', 'the change');
    const { session_id: id, connected_at_ms: connectedAt, ...row } = await sessionOf(adminUrl, 'ann');
    expect(row).toMatchObject({ identity: 'ann', transport: 'websocket', subscriptions: 6, positions: true, lag: 0, calls: 0 });
    expect(Number(connectedAt)).toBeGreaterThanOrEqual(begun);
    expect(Number(row.expires_at_ms)).toBeGreaterThan(Date.now());
    const seen: Row[] = [];
    for (let after = ''; ; ) {
      const page = (await askJson(adminUrl, `/api/sessions/${String(id)}?limit=4&after=${after}`)) as {
        session: Row;
        rows: Rows;
        next?: string;
      };
      expect(page.session).toMatchObject({ process: 'main', session_id: id, identity: 'ann' });
      seen.push(...page.rows);
      if (page.next === undefined) break;
      after = page.next;
    }
    const position = ((await askJson(adminUrl, '/api/streams/chat/groups/r0')) as { position: string }).position;
    expect(seen.map(({ subscription_id }) => subscription_id)).toEqual(['s0', 's1', 's2', 's3', 's4', 'item']);
    expect(seen[0]).toMatchObject({ stream: 'chat', group: 'r0', item: null, state: 'live', position, offset: 2, lag: 0 });
    expect(seen[1]).toMatchObject({ group: 'r1', offset: 0 });
    expect(seen[5]).toMatchObject({ group: 'r0', item: 'a', state: 'live', offset: 2 });
  });

  it('shows no join that its functions have not allowed yet', async () => {
    const { adminUrl, streamUrl, worker } = await start();
    const socket = await StreamSocket.open(`${streamUrl}/?user=bob`);
    socket.join('s', 'chat', 'r0');
    await socket.take('sync');
    const { session_id: id } = await sessionOf(adminUrl, 'bob');
    const shown = async () => ((await askJson(adminUrl, `/api/sessions/${String(id)}`)) as { rows: Rows }).rows;
    expect(await shown()).toMatchObject([{ subscription_id: 's', state: 'live' }]);
    await worker.serve('app::join', () => new Promise(() => {}));
    await worker.bind('stream:join', 'app::join', { stream_name: 'chat' });
    socket.join('t', 'chat', 'r1');
    await worker.take('invokefunction', ({ function_id }) => function_id === 'app::join');
    expect(await shown()).toMatchObject([{ subscription_id: 's' }]);
  });

  it.each([
    ['/api/sessions/nobody', 404, 'NOT_FOUND'],
    ['/api/sessions/disconnect', 404, 'NOT_FOUND'],
    ['/api/sessions/__proto__', 404, 'NOT_FOUND'],
    ['/api/sessions/%00', 404, 'NOT_FOUND'],
    ['/api/sessions/x?search=a', 400, 'INVALID_ARGUMENTS'],
    ['/api/reads?after=x', 400, 'INVALID_ARGUMENTS'],
  ])('%s gets %i', async (path, status, code) => {
    const { adminUrl } = await startTestEngine({ admin: {} });
    const reply = await ask(adminUrl, path);
    expect([reply.status, (JSON.parse(reply.text) as { error: { code: string } }).error.code]).toEqual([status, code]);
  });

  it('refuses a page after a join that the client has left', async () => {
    const { adminUrl, streamUrl } = await start();
    const socket = await StreamSocket.open(`${streamUrl}/?user=ann`);
    socket.join('s', 'chat', 'r0');
    await socket.take('sync');
    const { session_id: id } = await sessionOf(adminUrl, 'ann');
    expect((await ask(adminUrl, `/api/sessions/${String(id)}?after=gone`)).status).toBe(400);
  });
});

it('readers by plain HTTP are shown: event streams among the sessions, long polls among the reads', async () => {
  const { adminUrl, streamUrl, set } = await start();
  await set('r0', 'a', 1);
  const base = streamUrl.replace('ws:', 'http:');
  const stream = EventStream.open(`${base}/stream/chat/r0?user=eve`);
  await stream.events.take(() => true);
  const event = await sessionOf(adminUrl, 'eve');
  expect(event).toMatchObject({ identity: 'eve', transport: 'sse', address: '127.0.0.1', subscriptions: 1, lag: 0, unsent_bytes: 0 });
  const { rows } = (await askJson(adminUrl, `/api/sessions/${String(event.session_id)}`)) as { rows: Rows };
  expect(rows).toMatchObject([{ stream: 'chat', group: 'r0', item: null, state: 'live', offset: 1 }]);

  const { position } = (await (await fetch(`${base}/stream/chat/r0?user=pat`)).json()) as { position: string };
  const polls = ['pat', 'pam', 'tom'].map((user) => fetch(`${base}/stream/chat/r0?user=${user}&since=${position}&wait=60`));
  const reads = async (query = '') => ((await askJson(adminUrl, `/api/reads?${query}`)) as { rows: Rows }).rows;
  await expect.poll(async () => (await reads()).filter(({ waits }) => waits === true).length).toBe(3);
  expect(await reads('search=pat')).toMatchObject([
    {
      process: 'main',
      identity: 'pat',
      address: '127.0.0.1',
      stream: 'chat',
      group: 'r0',
      item: null,
      position,
      offset: 1,
      lag: 0,
      unsent_bytes: 0,
    },
  ]);
  const first = (await askJson(adminUrl, '/api/reads?limit=2&search=p')) as { rows: Rows; next?: string };
  const second = (await askJson(adminUrl, `/api/reads?limit=2&search=p&after=${first.next ?? ''}`)) as { rows: Rows; next?: string };
  expect(
    [...first.rows, ...second.rows].map(({ identity }) => String(identity)).toSorted((one, other) => one.localeCompare(other)),
  ).toEqual(['pam', 'pat']);
  // An identity that is disconnected loses its reads too.
  await askJson(adminUrl, '/api/sessions/disconnect', { method: 'POST', json: { identity: 'tom' } });
  expect((await polls[2])?.status).toBe(401);
  await set('r0', 'a', 2);
  expect((await Promise.all(polls.slice(0, 2))).map(({ status }) => status)).toEqual([200, 200]);
  expect(await reads()).toEqual([]);
});
