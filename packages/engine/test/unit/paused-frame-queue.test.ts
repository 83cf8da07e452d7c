import type { WorkerMessage } from '@rivulet/protocol';
import { expect, test } from 'vitest';
import { PausedFrameQueue } from '../../src/core/workers/access/paused-frame-queue.js';

const frame = (id: string): WorkerMessage => ({ type: 'unregisterfunction', id });

/** Starts a queue. The id of a frame decides what happens: `asks` waits for a hook, `throws` throws, and any other id is handled. */
function start() {
  const handled: string[] = [];
  let decided: (error?: Error) => void = () => {};
  let failed: (error: unknown) => void = () => {};
  const failure = new Promise((resolve) => (failed = resolve));
  const frames = new PausedFrameQueue(
    (message) => {
      if (message.type !== 'unregisterfunction') return undefined;
      handled.push(message.id);
      if (message.id === 'throws') throw new Error('thrown');
      if (message.id !== 'asks') return undefined;
      return new Promise((resolve, reject) => (decided = (error) => (error === undefined ? resolve() : reject(error))));
    },
    () => {},
    failed,
  );
  return { frames, handled, failure, decide: (error?: Error) => decided(error) };
}

test('a frame that has waited and throws fails its session, and nothing behind it is handled', async () => {
  const { frames, handled, failure, decide } = start();
  for (const id of ['asks', 'throws', 'behind']) frames.take(frame(id), 1);
  decide();
  expect(await failure).toEqual(new Error('thrown'));
  frames.take(frame('later'), 1);
  expect(handled).toEqual(['asks', 'throws']);
});

test('a registration that throws when its hook has allowed it fails its session', async () => {
  const { frames, handled, failure, decide } = start();
  for (const id of ['asks', 'behind']) frames.take(frame(id), 1);
  decide(new Error('rejected'));
  expect(await failure).toEqual(new Error('rejected'));
  expect(handled).toEqual(['asks']);
});
