import { LIMITS, type WorkerMessage } from '@rivulet/protocol';
import { expect, test } from 'vitest';
import { PausedFrameQueue } from '../../src/core/workers/access/paused-frame-queue.js';

const frame = (id: string): WorkerMessage => ({ type: 'unregisterfunction', id });

/** Starts a queue. The id of a frame decides what happens: `asks` waits for a hook, `throws` throws, and any other id is handled. */
function start() {
  const handled: string[] = [];
  let full = 0;
  let decided: (error?: Error) => void = () => {};
  let failed: (error: unknown) => void = () => {};
  const failure = new Promise((resolve) => (failed = resolve));
  const frames = new PausedFrameQueue(
    (message) => {
      handled.push('id' in message ? message.id : message.type);
      if (message.type !== 'unregisterfunction') return undefined;
      if (message.id === 'throws') throw new Error('thrown');
      if (message.id !== 'asks') return undefined;
      return new Promise((resolve, reject) => (decided = (error) => (error === undefined ? resolve() : reject(error))));
    },
    () => void full++,
    failed,
  );
  const decide = async (error?: Error) => {
    decided(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { frames, handled, failure, decide, full: () => full };
}

test('idle: frames are handled at once; paused: they wait in order; pings and answers never wait', async () => {
  const { frames, handled, decide } = start();
  for (const id of ['a', 'asks', 'b', 'asks', 'c']) frames.take(frame(id), 1);
  frames.take({ type: 'ping' }, 1);
  expect(handled).toEqual(['a', 'asks', 'ping']);
  await decide();
  expect(handled).toEqual(['a', 'asks', 'ping', 'b', 'asks']);
  frames.take(frame('d'), 1);
  await decide();
  expect(handled.slice(5)).toEqual(['c', 'd']);
});

test('paused: frames beyond the bounds of number and size are reported and dropped', async () => {
  const many = start();
  many.frames.take(frame('asks'), 1);
  for (let n = 0; n <= LIMITS.heldFrames; n++) many.frames.take(frame(`f${n}`), 1);
  expect(many.full()).toBe(1);
  await many.decide();
  expect(many.handled).toHaveLength(1 + LIMITS.heldFrames);
  const large = start();
  for (const [id, units] of [
    ['asks', 1],
    ['a', LIMITS.heldFrameChars],
    ['b', 1],
  ] as const)
    large.frames.take(frame(id), units);
  expect(large.full()).toBe(1);
  await large.decide();
  // The long frame waited as text.
  expect(large.handled).toEqual(['asks', 'a']);
});

test('closed: nothing that waited and nothing new is handled', async () => {
  const { frames, handled, decide } = start();
  for (const id of ['asks', 'a']) frames.take(frame(id), 1);
  frames.close();
  await decide();
  frames.take(frame('b'), 1);
  expect(handled).toEqual(['asks']);
});

test('a frame that has waited and throws fails its session, and nothing behind it is handled', async () => {
  const { frames, handled, failure, decide } = start();
  for (const id of ['asks', 'throws', 'behind']) frames.take(frame(id), 1);
  await decide();
  expect(await failure).toEqual(new Error('thrown'));
  frames.take(frame('later'), 1);
  expect(handled).toEqual(['asks', 'throws']);
});

test('a registration that throws when its hook has allowed it fails its session', async () => {
  const { frames, handled, failure, decide } = start();
  for (const id of ['asks', 'behind']) frames.take(frame(id), 1);
  await decide(new Error('rejected'));
  expect(await failure).toEqual(new Error('rejected'));
  expect(handled).toEqual(['asks']);
});
