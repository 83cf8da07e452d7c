import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, it } from 'vitest';
import { ask, askJson } from '../harness/admin-client.js';

const TOKEN = 'a-token-of-operators';
const VIEWER = 'a-token-of-viewers';
const GROUP = '/api/streams/chat/groups/room-1';

type Rows = readonly Readonly<Record<string, unknown>>[];

async function watched() {
  const engine = await startTestEngine({ admin: {} });
  const worker = await RawWorker.connect(engine.workerUrl);
  const socket = await StreamSocket.open(`${engine.streamUrl}/`);
  socket.join('s', 'chat', 'room-1');
  await socket.take('sync');
  const change = (name: 'set' | 'delete' | 'send', fields: Readonly<Record<string, unknown>>) =>
    worker.result(`stream::${name}`, { stream_name: 'chat', group_id: 'room-1', ...fields });
  return { ...engine, socket, change };
}

describe('one group', () => {
  it('has its position, also when nobody watches it or has written to it', async () => {
    const { adminUrl, workerUrl } = await startTestEngine({ admin: {} });
    expect(await askJson(adminUrl, GROUP)).toMatchObject({ stream: 'chat', group: 'room-1', offset: 0, subscriptions: 0, log: null });
    const worker = await RawWorker.connect(workerUrl);
    await worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: 'a', data: 1 });
    const { position } = (await worker.result('stream::list', {
      stream_name: 'chat',
      group_id: 'room-1',
      with_position: true,
    })) as { position: string };
    expect(await askJson(adminUrl, GROUP)).toMatchObject({ stored_by: 'engine', offset: 1, position, available: true, unavailable_ms: 0 });
    expect(await askJson(adminUrl, `${GROUP}/log`)).toEqual({ rows: [] });
  });

  it('shows its readers and its log, the newest change first, in pages', async () => {
    const { adminUrl, change } = await watched();
    await change('set', { item_id: 'a', data: { text: 'one' } });
    await change('set', { item_id: 'a', data: { text: 'two' } });
    await change('send', { type: 'typing', data: { user: 7 } });
    await change('send', { type: 'seen', data: null, id: 'a' });
    await change('delete', { item_id: 'a' });
    expect(await askJson(adminUrl, GROUP)).toMatchObject({
      offset: 5,
      subscriptions: 1,
      log: { changes: 5, first_offset: 1, last_offset: 5 },
    });
    const rows: Rows[] = [];
    for (let after = ''; ; ) {
      const page = (await askJson(adminUrl, `${GROUP}/log?limit=2&after=${after}`)) as { rows: Rows; next?: string };
      rows.push(page.rows);
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(rows.map((page) => page.length)).toEqual([2, 2, 1]);
    expect(rows.flat()).toMatchObject([
      { process: 'main', offset: 5, kind: 'delete', item: 'a', data: { text: 'two' } },
      { offset: 4, kind: 'event', event_type: 'seen', item: 'a', data: null },
      { offset: 3, kind: 'event', event_type: 'typing', item: null, data: { user: 7 } },
      { offset: 2, kind: 'update', item: 'a', data: { text: 'two' } },
      { offset: 1, kind: 'create', item: 'a', data: { text: 'one' } },
    ]);
    const at = rows.flat().map(({ at_ms: atMs }) => Number(atMs));
    expect(at).toEqual(at.toSorted((one, other) => other - one));
  });

  it('cuts large values, and no value or name can imitate the keys of a change', async () => {
    const { adminUrl, change, socket } = await watched();
    const nasty = '","event":{"type":"create","data":';
    socket.join('t', 'chat', 'room-1', nasty);
    await change('set', { item_id: nasty, data: { event: { type: 'delete', data: nasty } } });
    await change('send', { type: nasty, data: { a: 1, event: { type: 'create', data: 2 } } });
    await change('set', { item_id: 'big', data: `${nasty}${'ä€😀'.repeat(20_000)}` });
    await change('send', { type: nasty, data: [nasty, 'x'.repeat(100_000)] });
    const { rows } = (await askJson(adminUrl, `${GROUP}/log`)) as { rows: Rows };
    expect(rows).toMatchObject([
      { offset: 4, kind: 'event', event_type: nasty, shown: expect.stringMatching(/^\["\\",\\"event\\"/) as string },
      { offset: 3, kind: 'create', item: 'big', shown: expect.stringMatching(/^"\\",\\"event.*ä€😀/) as string },
      { offset: 2, kind: 'event', event_type: nasty, data: { a: 1, event: { type: 'create', data: 2 } } },
      { offset: 1, kind: 'create', item: nasty, data: { event: { type: 'delete', data: nasty } } },
    ]);
    for (const row of rows.slice(0, 2)) {
      expect(row).not.toHaveProperty('data');
      expect(String(row.shown)).toHaveLength(1_024);
      expect(String(row.shown)).not.toContain('\uFFFD');
    }
  });
});

describe('send', () => {
  const send = (url: string, json: unknown, token?: string) =>
    ask(url, `${GROUP}/send`, { method: 'POST', json, ...(token === undefined ? {} : { token }) });

  it('publishes an event to the clients of the group of the path, and to no other', async () => {
    const { adminUrl, socket } = await watched();
    socket.join('other', 'chat', 'room-2');
    await socket.inbox.take(({ groupId }) => groupId === 'room-2', 'the answer of room-2');
    expect(await send(adminUrl, { type: 'typing', data: { user: 7 }, group_id: 'room-2', stream_name: 'x' })).toMatchObject({
      status: 200,
      text: '{"result":null}',
    });
    expect(await socket.take('event')).toMatchObject({ groupId: 'room-1', event: { event: { type: 'typing', data: { user: 7 } } } });
    expect((await send(adminUrl, {})).status).toBe(200);
    expect(await socket.take('event')).toMatchObject({ groupId: 'room-1', event: { event: { type: 'message', data: null } } });
  });

  it('needs the full token, and is logged without its value', async () => {
    const { adminUrl, log } = await startTestEngine({ admin: { token: TOKEN, viewerToken: VIEWER } });
    expect((await send(adminUrl, { data: 'swordfish' }, VIEWER)).status).toBe(403);
    expect((await send(adminUrl, { data: 'swordfish' })).status).toBe(401);
    expect((await send(adminUrl, { data: 'swordfish' }, TOKEN)).status).toBe(200);
    expect((await send(adminUrl, 'swordfish', TOKEN)).status).toBe(400);
    const actions = log.filter(({ event }) => event === 'admin_action');
    expect(actions.map(({ fields }) => fields)).toEqual([
      { action: 'POST /api/streams/{stream}/groups/{group}/send', stream: 'chat', group: 'room-1', status: 200 },
      { action: 'POST /api/streams/{stream}/groups/{group}/send', stream: 'chat', group: 'room-1', status: 400 },
    ]);
    expect(JSON.stringify(log)).not.toContain('swordfish');
    expect((await ask(adminUrl, '/api/warnings', { token: TOKEN })).text).not.toContain('swordfish');
  });

  it.each<[string, unknown]>([
    ['a list', []],
    ['a text', '{}'],
    ['a number', 1],
    ['null', null],
    ['a type that is no text', { type: 7 }],
    ['an id that is too long', { id: 'x'.repeat(300) }],
  ])('refuses %s', async (_what, json) => {
    const { adminUrl } = await startTestEngine({ admin: {} });
    expect((await send(adminUrl, json)).status).toBe(400);
  });
});

it.each([
  [`${GROUP}?limit=1`, 'INVALID_ARGUMENTS'],
  [`${GROUP}/log?after=x`, 'INVALID_ARGUMENTS'],
  [`${GROUP}/log?after=99999999999999999999`, 'INVALID_ARGUMENTS'],
  [`${GROUP}/log?search=x`, 'INVALID_ARGUMENTS'],
  ['/api/streams/a%00/groups/b', 'INVALID_ID'],
  [`/api/streams/a/groups/${'x'.repeat(300)}/log`, 'INVALID_ID'],
])('%s is refused', async (path, code) => {
  const { adminUrl } = await startTestEngine({ admin: {} });
  const { status, text } = await ask(adminUrl, path);
  expect([status, (JSON.parse(text) as { error: { code: string } }).error.code]).toEqual([400, code]);
});
