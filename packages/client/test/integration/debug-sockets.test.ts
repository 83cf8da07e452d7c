import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { debugSockets } from '../../src/debug.js';
import { type ConnectOptions, connect } from '../../src/index.js';

test.each([
  ['debug: true', (options: ConnectOptions) => ({ ...options, debug: true, WebSocket })],
  ['debugSockets', (options: ConnectOptions) => ({ ...options, WebSocket: debugSockets(WebSocket) })],
] as const)('%s: lines say in plain words what a client sends and receives, without values and tokens', async (_name, withDebug) => {
  const { workerUrl, streamUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const item = (item_id: string) => ({ stream_name: 'chat', group_id: 'room', item_id });
  await worker.result('stream::set', { ...item('a'), data: 'a secret value' });
  const spy = vi.spyOn(console, 'info').mockImplementation(() => {});
  onTestFinished(() => {
    spy.mockRestore();
  });
  const client = connect(streamUrl, withDebug({ token: 'a secret token', tokenAs: 'query' }));
  const room = client.subscribeGroup('chat', 'room');
  await room.whenLive();
  const changed = new Promise((resolve) => room.on({ onEvent: resolve }));
  await worker.result('stream::set', { ...item('b'), data: 'a secret value' });
  await worker.result('stream::send', { stream_name: 'chat', group_id: 'room', type: 'typing', data: 'a secret value' });
  await changed;
  await client.close();
  const lines = spy.mock.calls.map(([line]) => String(line));
  expect(lines).toEqual([
    `[rivulet] the client connects to ${streamUrl}/`,
    '[rivulet] the client is connected',
    '[rivulet] the client sends join in chat/room',
    expect.stringMatching(/^\[rivulet\] the client receives syncing for subscription /),
    '[rivulet] the client receives sync in chat/room, offset 1',
    '[rivulet] the client receives create of item b in chat/room, offset 2',
    '[rivulet] the client receives event typing in chat/room, offset 3',
    '[rivulet] the client sends leave in chat/room',
    expect.stringMatching(/^\[rivulet\] the client is not connected any more: 1\d\d\d/),
  ]);
  expect(lines.join('\n')).not.toContain('secret');
});
