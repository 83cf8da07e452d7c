import { expect, it, vi } from 'vitest';
import { Channels } from '../../src/core/channels/channels.js';
import { FunctionFabric } from '../../src/core/fabric/function-fabric.js';
import { WorkerRegistry } from '../../src/core/workers/worker-registry.js';
import { WorkerSession } from '../../src/core/workers/worker-session.js';
import { type Logger, silentLogger } from '../../src/logging/logger.js';
import { systemClock } from '../../src/structures/clock.js';

const NO_CONNECTION = {
  remoteAddress: '127.0.0.1',
  peerAddress: '127.0.0.1',
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

function open(logger: Logger = silentLogger) {
  const fabric = new FunctionFabric(logger);
  const context = {
    fabric,
    workers: new WorkerRegistry<WorkerSession>(() => {}),
    channels: new Channels(systemClock),
    maxInFlightCalls: 10,
    maxMessageBytes: 1_000,
    middlewareFunction: undefined,
    clock: systemClock,
    logger,
  };
  return { fabric, session: new WorkerSession(context, NO_CONNECTION) };
}

it('a stop waits for calls in flight only for its time, and logs how many it ends', async () => {
  const warnings: unknown[] = [];
  const { fabric, session } = open({ ...silentLogger, warn: (event, fields) => void warnings.push({ event, ...fields }) });
  fabric.registerBuiltin('test::hang', () => new Promise(() => {}), 'Never answers.');
  for (const invocation_id of ['a', 'b']) {
    session.onText(JSON.stringify({ type: 'invokefunction', invocation_id, function_id: 'test::hang', data: null }));
  }
  await session.drain(1);
  expect(warnings).toEqual([{ event: 'calls_cut_off', worker: session.workerId, calls: 2 }]);
});

it('the fabric forgets a worker whose session has ended', () => {
  const { fabric, session } = open();
  const forget = vi.spyOn(fabric, 'forgetWorker');
  session.begin();
  session.onClose();
  expect(forget.mock.calls).toEqual([[session.workerId]]);
});
