import { LIMITS } from '@rivulet/protocol';
import { expect, it, onTestFinished } from 'vitest';
import { BodyBuffer } from '../../src/http/request/body-buffer.js';
import { BodyIntake } from '../../src/http/request/body-intake.js';
import { isJson } from '../../src/http/request/request-body.js';

function world(most = 1_000) {
  let now = 0;
  const events: string[] = [];
  const intake = new BodyIntake(most, { monotonic: () => now });
  onTestFinished(() => intake.close());
  const body = (name: string) => {
    const arriving = { tooSlow: () => void events.push(`${name} too slow`), evict: () => void events.push(`${name} evicted`) };
    intake.begin(arriving);
    return arriving;
  };
  return { intake, body, events, pass: (ms: number) => (now += ms) };
}

it('S24 a body must come at the least pace once the grace time is over', () => {
  const { intake, body, events, pass } = world();
  body('silent');
  const drip = body('drip');
  const steady = body('steady');
  for (let second = 1; second <= 5; second++) {
    pass(1_000);
    intake.progress(drip, 1);
    intake.progress(steady, LIMITS.httpBodyPaceBytes);
    intake.sweep();
  }
  expect(events).toEqual([]);
  for (let second = 1; second <= 60; second++) {
    pass(1_000);
    intake.progress(drip, 1);
    intake.progress(steady, LIMITS.httpBodyPaceBytes);
    intake.sweep();
  }
  expect(events).toEqual(['silent too slow', 'drip too slow']);
});

it('bodies that stand still are given up for one that moves, the longest first', () => {
  const { intake, body, events, pass } = world(100);
  const first = body('first');
  const second = body('second');
  expect(intake.take(60, second)).toBe(true);
  expect(intake.take(40, first)).toBe(true);
  const third = body('third');
  expect(intake.take(10, third)).toBe(false);
  pass(500);
  intake.progress(second, 1);
  pass(600);
  expect(intake.take(10, third)).toBe(false);
  expect(events).toEqual(['first evicted']);
  intake.give(40);
  expect(intake.take(10, third)).toBe(true);
});

it('a body in tiny pieces costs its bytes, not an object for each', () => {
  let taken = 0;
  const buffer = new BodyBuffer(100_000, (bytes) => {
    taken += bytes;
    return true;
  });
  for (let n = 0; n < 70_000; n++) expect(buffer.append(Buffer.of(n & 0xff))).toBe('taken');
  expect(buffer.content).toHaveLength(70_000);
  expect(taken).toBeLessThanOrEqual(100_000);
  expect(buffer.content[69_999]).toBe(69_999 & 0xff);
  expect(buffer.append(Buffer.alloc(30_001))).toBe('too_large');
  expect(new BodyBuffer(10, () => false).append(Buffer.of(1))).toBe('no_room');
});

it.each([
  ['application/json', true],
  ['Application/JSON; charset=utf-8', true],
  ['application/problem+json', true],
  ['application/ld+json ; profile="x"', true],
  ['text/plain; note=application/json', false],
  ['application/jsonx', false],
  ['text/application/json', false],
  ['multipart/form-data; boundary=application/json', false],
  ['', false],
  [undefined, false],
])('S35 the content type %s is JSON: %s', (type, json) => {
  expect(isJson(type)).toBe(json);
});
