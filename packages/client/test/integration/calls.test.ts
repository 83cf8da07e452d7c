import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type ConnectOptions, connect, type StreamClient } from '../../src/index.js';
import { connectTo, FakeEngine } from '../fake-engine.js';
import { syncing } from '../frames.js';

/** An engine with a worker that counts, and a client whose connection the test can end. */
async function start(options: ConnectOptions = {}) {
  const { streamUrl, workerUrl } = await startTestEngine({ stream: { exposeFunctions: [{ kind: 'match', pattern: 'app::*' }] } });
  const worker = await RawWorker.connect(workerUrl);
  const runs: unknown[] = [];
  await worker.serve('app::add', async (data) => {
    const { text } = data as { text: string };
    runs.push(text);
    await worker.call('stream::set', { stream_name: 'chat', group_id: 'r1', item_id: text, data: { text } });
    return { count: runs.length };
  });
  const ends: (() => void)[] = [];
  await worker.serve('app::slow', () => new Promise((resolve) => ends.push(() => resolve(`end ${ends.length}`))));
  await worker.serve('app::caller', (data) => (data as { _caller: { kind: string } })._caller.kind);
  const sockets: WebSocket[] = [];
  class TestSocket extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols);
      sockets.push(this);
    }
  }
  const client = connect(streamUrl, { WebSocket: TestSocket, runtime: { random: () => 0 }, ...options });
  onTestFinished(() => client.close());
  return { client, worker, runs, ends, cut: () => sockets.at(-1)?.terminate() };
}

const codeOf = (call: Promise<unknown>) => call.then(String, (error: { code: string }) => error.code);

/** Resolves when the client has a connection. */
function whenOpen(client: StreamClient): Promise<void> {
  return new Promise((resolve) => {
    const end = client.onState(({ kind }) => {
      if (kind !== 'open') return;
      end();
      resolve();
    });
    if (client.state.kind === 'open') resolve();
  });
}

describe('RV-60 calls of a real engine', () => {
  it('have results, the codes of the engine, and a caller', async () => {
    const { client } = await start();
    expect(await client.call('app::add', { text: 'one' })).toEqual({ count: 1 });
    expect(await client.call('app::caller', {})).toBe('page');
    expect(await codeOf(client.call('app::none', {}))).toBe('function_not_found');
    expect(await codeOf(client.call('stream::set', {}))).toBe('FORBIDDEN');
    expect(await codeOf(client.call('app::slow', {}, { timeoutMs: 20 }))).toBe('TIMEOUT');
  });

  it('that were made before the connection follow the joins, and each runs once', async () => {
    const { client, runs } = await start();
    const view = client.subscribeGroup('chat', 'r1');
    const texts = Array.from({ length: 60 }, (_, at) => `t${at}`);
    const results = await Promise.all(
      texts.map((text) => client.call('app::add', { text }, { confirm: [{ stream: 'chat', group: 'r1' }] })),
    );
    expect([results.length, runs.length, new Set(runs)]).toEqual([60, 60, new Set(texts)]);
    await view.whenLive();
    await expect.poll(() => view.size).toBe(60);
  });

  it('RV-63 survive a lost connection: the repeat gets the result of the one run', async () => {
    const { client, ends, cut } = await start();
    const call = client.call('app::slow', {});
    await expect.poll(() => ends.length).toBe(1);
    cut();
    await expect.poll(() => client.counters.connections).toBe(2);
    await whenOpen(client);
    ends[0]?.();
    expect([await call, ends.length]).toEqual(['end 1', 1]);
  });

  it('above the bound of the engine end as MESSAGE_TOO_LARGE, and the next ones work', async () => {
    const { client } = await start({ calls: { maxQueuedBytes: 2_000_000 } });
    expect(await codeOf(client.call('app::add', { text: 'x'.repeat(400_000) }))).toBe('MESSAGE_TOO_LARGE');
    expect(await client.call('app::add', { text: 'small' })).toEqual({ count: 1 });
  });

  it('are answered to the first question, so the client does not give them up', async () => {
    const { client, ends } = await start();
    await client.subscribeGroup('chat', 'r1').whenLive();
    const call = client.call('app::slow', {});
    await expect.poll(() => ends.length).toBe(1);
    // The client asks after a second. The call goes on after the answers.
    const asked = await codeOf(client.call('app::slow', {}, { timeoutMs: 1_500 }));
    ends[0]?.();
    expect([asked, await call]).toEqual(['TIMEOUT', 'end 2']);
  });
});

it('an older Rivulet ignores calls and answers the join behind the question, so the call ends as CALLS_UNSUPPORTED', async () => {
  const engine = await FakeEngine.start();
  const client = await connectTo(engine);
  client.subscribeGroup('chat', 'r1');
  const peer = await engine.peer();
  const { subscriptionId } = await peer.next('join');
  peer.sendRaw(syncing(subscriptionId));
  const end = codeOf(client.call('a'));
  expect((await peer.next('call')).callId).toBe('c1');
  expect((await peer.next('call')).callId).toBe('calls');
  const question = await peer.next('join');
  peer.sendRaw({ type: 'error', data: { subscriptionId: question.subscriptionId, code: 'INVALID_ID', message: 'no such name' } });
  expect(await end).toBe('CALLS_UNSUPPORTED');
});
