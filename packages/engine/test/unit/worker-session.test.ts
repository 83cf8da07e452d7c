import { expect, it } from 'vitest';
import { Channels } from '../../src/core/channels/channels.js';
import { FunctionFabric } from '../../src/core/fabric/function-fabric.js';
import { WorkerRegistry } from '../../src/core/workers/worker-registry.js';
import { WorkerSession } from '../../src/core/workers/worker-session.js';
import { type LogFields, silentLogger } from '../../src/logging/logger.js';
import { systemClock } from '../../src/structures/clock.js';

const NO_CONNECTION = {
  remoteAddress: '127.0.0.1',
  write() {},
  writeFrame() {},
  buffered: 0,
  open: true,
  pause() {},
  resume() {},
  watchUnfinished() {},
  probePeer() {},
  close() {},
  destroy() {},
};

it('a stop waits for calls in flight only so long, and says how many it cuts off', async () => {
  const warnings: unknown[] = [];
  const logger = { ...silentLogger, warn: (event: string, fields?: LogFields) => void warnings.push({ event, ...fields }) };
  const fabric = new FunctionFabric(logger);
  fabric.registerBuiltin('test::hang', () => new Promise(() => {}), 'Never answers.');
  const channels = new Channels(systemClock);
  const workers = new WorkerRegistry<WorkerSession>(() => {});
  const context = {
    fabric,
    workers,
    channels,
    maxInFlightCalls: 10,
    maxMessageBytes: 1_000,
    middlewareFunction: undefined,
    clock: systemClock,
    logger,
  };
  const session = new WorkerSession(context, NO_CONNECTION);
  for (const invocation_id of ['a', 'b']) {
    session.onText(JSON.stringify({ type: 'invokefunction', invocation_id, function_id: 'test::hang', data: null }));
  }
  await session.drain(1);
  expect(warnings).toEqual([{ event: 'calls_cut_off', worker: session.workerId, calls: 2 }]);
});
