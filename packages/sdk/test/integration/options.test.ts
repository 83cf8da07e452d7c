import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { describe, expect, it, test } from 'vitest';
import { type InitOptions, registerWorker, stream } from '../../src/index.js';
import { connectWorker } from '../connect-worker.js';

const NOWHERE = 'ws://127.0.0.1:9';

const refusal = (message: string) => expect.objectContaining({ code: 'INVALID_ARGUMENTS', message: expect.stringContaining(message) });

describe('options of a worker', () => {
  test.each<[object, string]>([
    [{ invocationTimeoutMs: '5000' }, 'option "invocationTimeoutMs" must be a number from 0'],
    [{ maxQueuedCalls: Number.NaN }, 'option "maxQueuedCalls" must be a number from 0'],
    [{ maxRunningHandlers: -1 }, 'option "maxRunningHandlers" must be a number from 0'],
    [{ onWarning: 'console' }, 'option "onWarning" must be a function'],
    [{ headers: 'authorization: x' }, 'option "headers" must be an object'],
    [{ authToken: 1 }, 'option "authToken" must be a string'],
    [{ workerName: {} }, 'option "workerName" must be a string'],
    [{ reconnection: 5 }, 'option "reconnection" must be an object'],
    [{ reconnection: { maxRetries: '3' } }, 'option "maxRetries" must be a number from -1'],
    [{ reconnectionConfig: { initialDelayMs: '1s' } }, 'option "initialDelayMs" must be a number from 0'],
  ])('%j is refused by its name', (options, message) => {
    expect(() => registerWorker(NOWHERE, options as InitOptions)).toThrow(refusal(message));
  });

  it('an option that is null is absent, and options for telemetry are ignored', async () => {
    const options = {
      workerName: null,
      headers: null,
      reconnection: null,
      otel: { enabled: false },
      telemetry: 'none',
      onWarning: () => {},
    };
    await registerWorker(NOWHERE, options as unknown as InitOptions).close();
  });
});

describe('arguments of a worker', () => {
  test.each(['5000', Number.NaN, {}])('a time-out of %s fails the call', async (timeoutMs) => {
    const worker = connectWorker(NOWHERE);
    const call = worker.trigger({ function_id: 'app::f', payload: {}, timeoutMs: timeoutMs as number });
    await expect(call).rejects.toEqual(refusal('timeoutMs must be a number of milliseconds'));
    await expect(worker.drain(timeoutMs as number)).rejects.toEqual(refusal('timeoutMs must be a number of milliseconds'));
  });

  it('a callback that is no function is refused', () => {
    const worker = connectWorker(NOWHERE);
    expect(() => worker.onConnectionState('log' as never)).toThrow(refusal('listener must be a function'));
    expect(() => worker.onFunctionsAvailable({} as never)).toThrow(refusal('callback must be a function'));
  });
});

describe('options of a write', () => {
  const items = () => stream(connectWorker(NOWHERE));

  test.each<[object, string]>([
    [{ ttl: 1_000 }, 'unknown option "ttl"; did you mean "ttlMs"?'],
    [{ ttlMs: '1000' }, 'option "ttlMs" must be a number from 0'],
    [{ ifVersion: 3 }, 'option "ifVersion" must be a string'],
    [{ idempotencyKey: 3 }, 'option "idempotencyKey" must be a string'],
  ])('%j fails the write', async (options, message) => {
    await expect(items().set('s', 'g', 'i', 1, options)).rejects.toEqual(refusal(message));
    await expect(items().delete('s', 'g', 'i', options)).rejects.toEqual(refusal(message));
    await expect(items().update('s', 'g', 'i', [], options)).rejects.toEqual(refusal(message));
    await expect(items().batch('s', 'g', [{ type: 'set', itemId: 'i', data: 1, ...options }])).rejects.toEqual(refusal(message));
  });

  it('a write of a batch with item_id names itemId', async () => {
    const write = { type: 'set', item_id: 'i', data: 1 } as never;
    await expect(items().batch('s', 'g', [write])).rejects.toEqual(refusal('unknown option "item_id"; did you mean "itemId"?'));
  });

  it('an option that is undefined counts as absent, as the idempotency key of a caller that is no page', async () => {
    const { workerUrl } = await startTestEngine();
    const callerKey: string | undefined = undefined;
    const answer = await stream(connectWorker(workerUrl)).set('s', 'g', 'i', 1, { idempotencyKey: callerKey, ttlMs: undefined });
    expect(answer).toMatchObject({ new_value: 1 });
  });
});
