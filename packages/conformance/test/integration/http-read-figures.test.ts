import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { EventStream } from '@rivulet/testkit/peers/event-stream';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';
import { ask, askJson } from '../harness/admin-client.js';

async function start() {
  const stream = { maxSubscriptionsPerConnection: 2 };
  const started = await startTestEngine({ stream, admin: {} });
  const worker = await RawWorker.connect(started.workerUrl);
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: 'a', data: 1 });
  const base = started.streamUrl.replace('ws:', 'http:');
  return { ...started, worker, base, room: `${base}/stream/chat/room-1` };
}

interface SessionRow {
  readonly session_id: string;
  readonly transport: string;
  readonly identity: string | null;
}

/** Returns the series of plain reads that are not 0. */
async function seriesOf(adminUrl: string): Promise<Readonly<Record<string, number>>> {
  const { text } = await ask(adminUrl, '/metrics');
  const lines = text.matchAll(/^rivulet_stream_((?:http_reads|event_streams|connections)\S*) (\S+)$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name ?? '', Number(value)] as const).filter(([, value]) => value !== 0));
}

test('plain reads are counted by kind and status, waiting ones and event streams as well', async () => {
  const { adminUrl, base, room, worker } = await start();
  expect(await seriesOf(adminUrl)).toEqual({});
  const first = await fetch(room);
  await fetch(room, { headers: { 'if-none-match': String(first.headers.get('etag')) } });
  await fetch(`${room}?limit=0`);
  await fetch(`${base}/stream/chat`);
  const { position } = (await first.json()) as { readonly position: string };
  const left = new AbortController();
  const waits = [fetch(`${room}?since=${position}&wait=60`), fetch(`${room}?since=${position}&wait=60`, { signal: left.signal })];
  await expect.poll(async () => (await seriesOf(adminUrl))['http_reads_waiting']).toBe(2);
  left.abort();
  await expect(waits[1]).rejects.toThrow('aborted');
  await expect.poll(async () => (await seriesOf(adminUrl))['http_reads_waiting']).toBe(1);
  const stream = EventStream.open(room);
  await stream.events.take(() => true);
  const many = await fetch(`${base}/events?group=a/b&group=a/c&group=a/d`);
  expect(await many.json()).toMatchObject({ error: { code: 'TOO_MANY_SUBSCRIPTIONS' } });
  expect(await seriesOf(adminUrl)).toMatchObject({ connections: 1, connections_opened_total: 1, event_streams: 1 });
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: 'a', data: 2 });
  await waits[0];
  stream.socket.destroy();
  await expect.poll(async () => (await seriesOf(adminUrl))['event_streams']).toBe(undefined);
  expect(await seriesOf(adminUrl)).toEqual({
    connections_opened_total: 1,
    event_streams_opened_total: 1,
    'event_streams_ended_total{reason="left"}': 1,
    'http_reads_total{kind="snapshot",status="200"}': 1,
    'http_reads_total{kind="snapshot",status="304"}': 1,
    'http_reads_total{kind="changes",status="200"}': 1,
    'http_reads_total{kind="events",status="200"}': 1,
    'http_reads_total{kind="events",status="400"}': 1,
    'http_reads_total{kind="invalid",status="400"}': 1,
    'http_reads_total{kind="invalid",status="404"}': 1,
  });
});

test('lists of sessions have event streams, and disconnect ends one by its id', async () => {
  const { adminUrl, room, worker, streamUrl } = await start();
  const socket = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
  const streams = [EventStream.open(room), EventStream.open(room)];
  for (const { events } of streams) await events.take(() => true);
  const { rows } = (await askJson(adminUrl, '/api/sessions')) as { readonly rows: readonly SessionRow[] };
  expect(rows.map(({ transport }) => transport)).toEqual(['websocket', 'sse', 'sse']);
  const listed = (await worker.result('engine::stream-sessions::list', {})) as { readonly sessions: readonly SessionRow[] };
  expect(listed.sessions.map(({ transport }) => transport).sort()).toEqual(['sse', 'sse', 'websocket']);
  expect(await worker.result('engine::sessions::disconnect', { session_id: rows[1]?.session_id })).toEqual({ disconnected: 1 });
  await Promise.race(streams.map(({ closed }) => closed));
  expect(await seriesOf(adminUrl)).toMatchObject({ connections: 2, event_streams: 1, 'event_streams_ended_total{reason="revoked"}': 1 });
  expect(socket.socket.readyState).toBe(socket.socket.OPEN);
});
