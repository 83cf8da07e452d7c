import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { connect } from '../../src/index.js';

const EXPOSED = ['expose_functions:', '  - match("app::*")'];

/** Starts a client that connects only while its gate is open. */
function gatedClient(url: string) {
  let open = () => {};
  let gate = Promise.resolve();
  const client = connect(url, { WebSocket, getToken: () => gate.then(() => undefined), runtime: { random: () => 0 } });
  onTestFinished(() => client.close());
  const close = () => {
    gate = new Promise((resolve) => {
      open = resolve;
    });
  };
  const isLost = () => expect.poll(() => client.state.kind).not.toBe('open');
  return { client, close, open: () => open(), isLost };
}

/** Connects a worker. Its functions note each run. `app::hangs` never answers. */
async function serve(engine: EngineProcess, runs: string[]): Promise<void> {
  const worker = await RawWorker.connect(engine.workerUrl);
  const note = (data: unknown) => runs.push((data as { name: string }).name);
  await worker.serve('app::note', note);
  await worker.serve('app::hangs', (data) => new Promise(() => void note(data)));
  const again = (data: unknown) => (note(data) === 1 || runs.filter((name) => name === 'again').length > 1 ? 'ran' : new Promise(() => {}));
  await worker.serve('app::again', again, { metadata: { idempotent: true } });
}

const codeOf = (call: Promise<unknown>) => call.then(String, (error: { code: string }) => error.code);

it('RV-63 an engine is killed: what ran has an unknown outcome and does not run again, and what waited runs once', async () => {
  const engine = await EngineProcess.start({ stream: EXPOSED });
  const runs: string[] = [];
  await serve(engine, runs);
  const { client, close, open, isLost } = gatedClient(engine.streamUrl);
  expect(await client.call('app::note', { name: 'first' })).toBe(1);
  const running = codeOf(client.call('app::hangs', { name: 'running' }));
  const again = codeOf(client.call('app::again', { name: 'again' }));
  await expect.poll(() => runs).toEqual(['first', 'running', 'again']);
  close();
  await engine.kill();
  await isLost();
  const waiting = ['w1', 'w2', 'w3'].map((name) => codeOf(client.call('app::note', { name })));
  await engine.start();
  await serve(engine, runs);
  open();
  expect(await running).toBe('OUTCOME_UNKNOWN');
  expect(await again).toBe('ran');
  await Promise.all(waiting);
  expect(runs.toSorted()).toEqual(['again', 'again', 'first', 'running', 'w1', 'w2', 'w3']);
});

it('a client that is back before the workers of a restarted engine waits for them', async () => {
  const engine = await EngineProcess.start({ stream: EXPOSED });
  const runs: string[] = [];
  await serve(engine, runs);
  const { client, isLost } = gatedClient(engine.streamUrl);
  await client.call('app::note', { name: 'first' });
  await engine.kill();
  await isLost();
  const waiting = codeOf(client.call('app::note', { name: 'waiting' }));
  await engine.start();
  await new Promise<void>((resolve) => {
    client.onState(({ kind }) => {
      if (kind === 'open') resolve();
    });
    if (client.state.kind === 'open') resolve();
  });
  await serve(engine, runs);
  expect([await waiting, runs]).toEqual(['2', ['first', 'waiting']]);
});
