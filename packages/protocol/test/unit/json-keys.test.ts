import { expect, it } from 'vitest';
import { decodeStreamMessage, decodeWorkerMessage, exceedsKeys } from '../../src/index.js';

const PADDING = ' '.repeat(17_000);
const object = (from: number, to: number) => `{${Array.from({ length: to - from }, (_, n) => `"k${from + n}" : ${n}`).join()}}`;

it('different keys count once, in whatever object they stand', () => {
  const text = `[${object(0, 50)},${object(25, 75)},${object(50, 100)}]${PADDING}`;
  expect(exceedsKeys(text, 100)).toBe(false);
  expect(exceedsKeys(text, 99)).toBe(true);
});

it('members of wide objects count each time, those of others do not', () => {
  const narrow = `[${Array.from({ length: 100 }, () => object(0, 127)).join()}]${PADDING}`;
  expect(exceedsKeys(narrow, 127)).toBe(false);
  const wide = `[${object(0, 200)},${object(0, 200)}]${PADDING}`;
  expect(exceedsKeys(wide, 400)).toBe(false);
  expect(exceedsKeys(wide, 399)).toBe(true);
});

it('texts that look like keys are values', () => {
  expect(exceedsKeys(`{"a":"b\\":","c":["d","e:","{\\"f\\":1}"]}${PADDING}`, 2)).toBe(false);
  expect(exceedsKeys(`{"a":"b\\":","c":["d","e:","{\\"f\\":1}"]}${PADDING}`, 1)).toBe(true);
});

it.each(['', '{', '"', '{"a', '{"a"', '{"a":', '}}}]]]', `${'['.repeat(200)}`, `${'{"a":'.repeat(100)}`])('never throws: %j', (text) => {
  expect(typeof exceedsKeys(text + PADDING, 10)).toBe('boolean');
});

it('a message of a guest with too many keys is refused, and its call answered; that of a worker is not', () => {
  const call = `{"type":"invokefunction","invocation_id":"i","function_id":"app::f","data":${object(0, 9_000)}}`;
  expect(decodeWorkerMessage(call).kind).toBe('message');
  expect(decodeWorkerMessage(call, 8_192)).toMatchObject({ kind: 'invalid', code: 'deserialization_error', invocationId: 'i' });
  expect(decodeStreamMessage(`{"type":"join","data":${object(0, 9_000)}}`)).toMatchObject({ kind: 'invalid' });
});
