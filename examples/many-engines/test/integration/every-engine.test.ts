import { Inbox } from '@rivulet/testkit/inbox';
import { expect, test } from 'vitest';
import { atEveryEngine } from '../../every-engine.mjs';

/** Returns a lookup that gives one answer after another, and then fails. */
function answering(...answers: readonly (readonly string[] | Error)[]) {
  const left = [...answers];
  return async (): Promise<readonly { address: string }[]> => {
    const next = left.shift();
    if (next instanceof Error) throw next;
    return next === undefined ? new Promise(() => {}) : next.map((address) => ({ address }));
  };
}

function follow(...answers: readonly (readonly string[] | Error)[]) {
  const events = new Inbox<string>();
  const connect = (url: string) => {
    events.push(`to ${url}`);
    return { drain: async () => events.push(`from ${url}`) };
  };
  const leave = atEveryEngine(['ws://engines:49134'], connect, { lookup: answering(...answers), everyMs: 1 });
  return { events, leave, seen: (event: string) => events.take((each) => each === event, event) };
}

test('a worker goes to each address of a name and leaves removed ones; a lookup that fails changes nothing', async () => {
  const { events, leave, seen } = follow(['10.0.0.1', '10.0.0.2'], new Error('SERVFAIL'), ['10.0.0.2', 'fd00::3']);
  await seen('to ws://[fd00::3]:49134/');
  expect(events.all).toEqual([
    'to ws://10.0.0.1:49134/',
    'to ws://10.0.0.2:49134/',
    'from ws://10.0.0.1:49134/',
    'to ws://[fd00::3]:49134/',
  ]);
  await leave();
  expect(events.all.slice(4)).toEqual(['from ws://10.0.0.2:49134/', 'from ws://[fd00::3]:49134/']);
});

test('at most 100 engines, whatever the name server says', async () => {
  const { events, leave, seen } = follow(Array.from({ length: 300 }, (_, n) => `10.0.${n >> 8}.${n & 255}`));
  await seen('to ws://10.0.0.99:49134/');
  expect(events.all).toHaveLength(100);
  await leave();
});
