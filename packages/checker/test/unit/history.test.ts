import { Random } from '@rivulet/testkit/random';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeOp, readHistory } from '../../src/history/decode-op.js';
import { Recorder, writeHistory } from '../../src/history/recorder.js';
import { historyOf } from '../history.js';

const HISTORY = historyOf(
  { p: 'w0.l0', type: 'invoke', f: 'set', g: 's/g', k: 'i', v: 'w0.1' },
  { p: 'store', type: 'ok', f: 'commit', g: 's/g', e: 'e1', s: 1, op: 'create', k: 'i', v: 'w0.1', created: 1 },
  { p: 'w0.l0', type: 'ok', f: 'set', g: 's/g', k: 'i', v: 'w0.1', e: 'e1', s: 1 },
  { p: 'c0.0', type: 'ok', f: 'snapshot', g: 's/g', e: 'e1', s: 1, n: 1, hash: 'h', items: [['i', 'w0.1', 1]], reset: 'floor' },
  { p: 'nem', type: 'info', f: 'nemesis', verb: 'kill-engine' },
);

it('a history that is written and read again is the same', () => {
  expect(readHistory(writeHistory(HISTORY))).toEqual({ ops: HISTORY, bad: [] });
});

it('the reader answers for any text', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => ['op', 'bad'].includes(decodeOp(text).kind)));
});

it.each([
  ['not JSON', '{'],
  ['not an object', '[]'],
  ['f names no operation', '{"i":1,"t":1,"p":"x","type":"ok","f":"constructor"}'],
  ['type is missing or wrong', '{"i":1,"t":1,"p":"x","type":"maybe","f":"entered","sub":"a"}'],
  ['s is missing or wrong', '{"i":1,"t":1,"p":"x","type":"ok","f":"caught_up","g":"g","e":"e","s":-1}'],
  ['items is missing or wrong', '{"i":1,"t":1,"p":"x","type":"ok","f":"final","g":"g","e":"e","s":1,"n":0,"hash":"h","items":[["a"]]}'],
  ['fields beyond those of its kind', '{"i":1,"t":1,"p":"x","type":"ok","f":"entered","sub":"a","more":1}'],
])('a line that is no operation is reported as bad: %s', (reason, line) => {
  expect(decodeOp(line)).toEqual({ kind: 'bad', reason });
  expect(readHistory(`\n${line}\n`).bad).toEqual([{ line: 2, reason }]);
});

it('the clock of the recorder never goes back', () => {
  const times = [5, 3, 9];
  const seen: number[] = [];
  const recorder = new Recorder(
    () => times.shift() ?? 0,
    ({ t }) => seen.push(t),
  );
  for (let n = 0; n < 3; n++) recorder.record({ p: 'engine', type: 'ok', f: 'entered', sub: String(n) });
  expect(seen).toEqual([5, 5, 9]);
  expect(recorder.count).toBe(3);
});

it('the same seed draws the same numbers, within their bounds', () => {
  const [a, b] = [new Random(7), new Random(7)];
  for (let n = 0; n < 1_000; n++) expect(a.next()).toBe(b.next());
  for (let n = 0; n < 1_000; n++) {
    expect(a.between(3, 5)).toBeOneOf([3, 4, 5]);
    expect(a.zipf(4)).toBeOneOf([0, 1, 2, 3]);
  }
});
