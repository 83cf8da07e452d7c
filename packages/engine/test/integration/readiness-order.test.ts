import { request } from 'node:http';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';
import { StateModule } from '../../src/state/state-module.js';
import { StreamGateway } from '../../src/stream/session/stream-gateway.js';
import { StreamModule } from '../../src/stream/stream-module.js';

/** Resolves with the status of a request on a connection of its own. */
function statusOf(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    sent.once('error', reject);
    sent.end();
  });
}

/** Runs `look` before a step of the stop, and again after it. The stop waits for both. */
function watch<Step extends string>(part: { [key in Step]: () => Promise<void> }, step: Step, look: (when: string) => Promise<void>): void {
  const original = part[step];
  part[step] = async function (this: unknown) {
    await look('before');
    await original.call(this);
    await look('after');
  };
  onTestFinished(() => {
    part[step] = original;
  });
}

test('/ready is red before the first connection is closed, and the admin listener closes after the stores', async () => {
  const { engine, adminUrl, streamUrl } = await startTestEngine({ admin: {}, lmdb: true, stream: { drainDelayMs: 0 } });
  const client = await StreamSocket.open(`${streamUrl}/`);
  let isConnected = true;
  void client.closed.then(() => {
    isConnected = false;
  });
  expect(await statusOf(`${adminUrl}/ready`)).toBe(200);
  const seen: string[] = [];
  const look = (step: string) => async (when: string) => {
    const [ready, health] = [await statusOf(`${adminUrl}/ready`), await statusOf(`${adminUrl}/health`)];
    seen.push(`${when} ${step}: ready ${ready}, health ${health}, client ${isConnected ? 'connected' : 'closed'}`);
  };
  watch(StreamGateway.prototype, 'stop', look('clients'));
  watch(StreamModule.prototype, 'stop', look('the store of streams'));
  watch(StateModule.prototype, 'stop', look('the store of state'));
  await engine.stop();
  expect(seen.slice(0, 2)).toEqual([
    'before clients: ready 503, health 200, client connected',
    'after clients: ready 503, health 200, client closed',
  ]);
  expect(seen.slice(2).sort()).toEqual([
    'after the store of state: ready 503, health 200, client closed',
    'after the store of streams: ready 503, health 200, client closed',
    'before the store of state: ready 503, health 200, client closed',
    'before the store of streams: ready 503, health 200, client closed',
  ]);
  await expect(statusOf(`${adminUrl}/health`)).rejects.toThrow('ECONNREFUSED');
});
