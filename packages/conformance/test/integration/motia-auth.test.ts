import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { describe, expect, onTestFinished, test } from 'vitest';
import { shows } from '../harness/client-matrix.js';
import { MOTIA_CLIENTS, MOTIA_CLIENTS_WITH_PROTOCOLS, Motia } from '../harness/motia-client.js';

const CHILD = fileURLToPath(new URL('../harness/motia-node-child.mjs', import.meta.url));
const room = { stream_name: 'chat', group_id: 'room-1' };
const HANGS = () => new Promise<never>(() => {});

async function start(authRejectMode: 'close' | 'http') {
  const started = await startTestEngine({ stream: { authFunction: 'app::auth', authRejectMode, authTimeoutMs: 200 } });
  const worker = await RawWorker.connect(started.workerUrl);
  const set = (id: string) => worker.result('stream::set', { ...room, item_id: id, data: { id } });
  const asked = new Inbox<{ readonly headers: Readonly<Record<string, string>> }>();
  const auth = (answer: () => unknown) =>
    worker.serve('app::auth', (data) => {
      asked.push(data as { headers: Record<string, string> });
      return answer();
    });
  await set('m1');
  return { ...started, worker, set, asked, auth };
}

/** Starts a process with the official Node client. */
function runNodeClient(url: string) {
  const child = spawn(process.execPath, [CHILD, url], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = once(child, 'exit') as Promise<[number | null]>;
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  const lines = new Inbox<{ readonly text: string }>();
  child.stdout.on('data', (data: Buffer) => lines.push({ text: data.toString() }));
  const output = { stderr: '' };
  child.stderr.on('data', (data: Buffer) => {
    output.stderr += data.toString();
  });
  return { child, exit, lines, output };
}

describe.each(MOTIA_CLIENTS)('SM-4 %s', (client) => {
  test.each([
    ['says unauthorized', () => ({ unauthorized: true })],
    ['answers nothing', () => undefined],
    ['hangs', HANGS],
  ])('ST-11 while the auth function %s it sees nothing, and it comes in by itself once it may', async (_how, answer) => {
    shows('refusal', client);
    const { streamUrl, set, asked, auth } = await start('close');
    await auth(answer);
    const group = new Motia(client, streamUrl).group('chat', 'room-1');
    const onPath = new Motia(client, `${streamUrl}/stream/chat/room-1`).group('chat', 'room-1');
    await asked.take(() => true, 'the first upgrade');
    await asked.take(() => true, 'the second upgrade');
    await set('m2');
    await asked.take(() => true, 'the first retry');
    expect([group.states, onPath.states]).toEqual([[], []]);
    await auth(() => ({ context: null }));
    const all = (items: readonly unknown[]) => items.length === 2;
    await Promise.all([group.until(all, 'the snapshot'), onPath.until(all, 'the snapshot on the path')]);
    await set('m3');
    await group.until((items) => items.length === 3);
  });
});

test.each(MOTIA_CLIENTS_WITH_PROTOCOLS)(
  'ST-9 SM-4 %s gets in with protocols: Authorization is selected, its token reaches the auth function',
  async (client) => {
    shows('sub-protocols', client);
    const { streamUrl, set, asked, auth } = await start('close');
    await auth(() => (asked.all.at(-1)?.headers['sec-websocket-protocol']?.includes('good') ? { context: {} } : { unauthorized: true }));
    const good = new Motia(client, streamUrl, ['Authorization', 'good']).group('chat', 'room-1');
    await good.until((items) => items.length === 1, 'the snapshot');
    expect(asked.all[0]?.headers['sec-websocket-protocol']).toBe('Authorization,good');
    const bad = new Motia(client, streamUrl, ['Authorization', 'bad']).group('chat', 'room-1');
    await asked.take(({ headers }) => headers['sec-websocket-protocol'] === 'Authorization,bad', 'the wrong token');
    await set('m2');
    await good.until((items) => items.length === 2);
    await asked.take(({ headers }) => headers['sec-websocket-protocol'] === 'Authorization,bad', 'its retry');
    expect(bad.states).toEqual([]);
    // The test waits, because the client for Node throws when it is closed while it connects.
    await auth(() => ({}));
    await bad.until((items) => items.length === 2, 'the snapshot once any token will do');
  },
);

test('ST-11 SM-4 stream-client-node 0.17.6: its process outlives refusals in close mode, and gets the snapshot once it may', async () => {
  const { streamUrl, asked, auth } = await start('close');
  await auth(() => ({ unauthorized: true }));
  const { child, lines } = runNodeClient(streamUrl);
  await asked.take(() => true, 'the first upgrade');
  await asked.take(() => true, 'the retry');
  expect(child.exitCode).toBeNull();
  await auth(() => ({}));
  expect((await lines.take(() => true, 'the snapshot')).text).toBe('[{"id":"m1"}]\n');
});

test('ST-11 SM-4 stream-client-node 0.17.6: its process ends at the first refusal in http mode, having seen nothing', async () => {
  const { streamUrl, auth } = await start('http');
  await auth(() => ({ unauthorized: true }));
  const { exit, lines, output } = runNodeClient(streamUrl);
  expect((await exit)[0]).toBe(1);
  expect(output.stderr).toContain('Unexpected server response: 401');
  expect(lines.all).toEqual([]);
});

test('ST-11 SM-4 stream-client-browser 0.2.2: retries after a refusal in http mode and gets in once it may', async () => {
  const { streamUrl, asked, auth } = await start('http');
  await auth(() => ({ unauthorized: true }));
  const group = new Motia('stream-client-browser 0.2.2', streamUrl).group('chat', 'room-1');
  await asked.take(() => true, 'the first upgrade');
  await asked.take(() => true, 'the retry');
  expect(group.states).toEqual([]);
  await auth(() => ({}));
  await group.until((items) => items.length === 1, 'the snapshot');
});
