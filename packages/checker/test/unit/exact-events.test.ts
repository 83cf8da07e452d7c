import { ExactEvents } from '@rivulet/testkit/peers/exact-events';
import { expect, test } from 'vitest';

const frame = (of: object) => JSON.stringify({ type: 'stream', streamName: 's', groupId: 'a', ...of });
const sync = (offset: number) => frame({ event: { type: 'sync', data: [1] }, ids: ['x'], offset, epoch: 'e' });
const change = (offset: number, more: object = {}) => frame({ id: `i${offset}`, event: { type: 'create', data: offset }, offset, ...more });
const control = (type: string, data: object) => JSON.stringify({ type, data: { subscriptionId: 's/a', epoch: 'e', ...data } });

function reader(...events: readonly (readonly [data: string, id?: string])[]): ExactEvents {
  const exact = new ExactEvents(['s/a']);
  for (const [data, id] of events) {
    if (data === 'cut') exact.cut();
    else exact.take({ data, id });
  }
  return exact;
}

test('a reader that gets each change once has no fault, whatever was not whole when it was cut', () => {
  const exact = reader(
    [sync(3), 'e:3'],
    [change(4), 'e:4'],
    [change(5, { through: 6 })],
    ['cut'],
    [control('resumed', { mode: 'tail', from: 4, to: 6 })],
    [change(5, { through: 6 })],
    [change(6, { through: 6 }), 'e:6'],
    ['cut'],
    [control('resumed', { mode: 'changes', from: 6, to: 9 })],
    [change(8, { created: 8 })],
    [control('caught_up', { offset: 9 }), 'e:9'],
    [change(10), 'e:10'],
  );
  expect(exact.figures).toEqual({ applied: 5, lost: 0, doubled: 0, wrongIds: 0, resumed: 2, compacted: 1, replaced: 0 });
  expect([...exact.itemsOf('s/a').keys()]).toEqual(['x', 'i4', 'i5', 'i6', 'i8', 'i10']);
  expect([exact.offsetOf('s/a'), exact.lastId, exact.hasBegun]).toEqual([10, 'e:10', true]);
});

test('a change that is missing, repeated, or behind a wrong id is counted', () => {
  expect(reader([sync(3), 'e:3'], [change(6), 'e:6']).figures).toMatchObject({ lost: 2, doubled: 0, wrongIds: 0 });
  expect(reader([sync(3), 'e:3'], [change(4), 'e:4'], [change(4), 'e:4']).figures).toMatchObject({ lost: 0, doubled: 1 });
  expect(reader([sync(3), 'e:4']).figures.wrongIds).toBe(1);
  // The id of a batch stands before its end, so a cut there would lose the rest.
  expect(reader([sync(3), 'e:3'], [change(4, { through: 5 }), 'e:5']).figures.wrongIds).toBe(1);
  expect(reader([sync(3), 'e:3'], [change(4, { through: 5 }), 'e:4']).figures.wrongIds).toBe(1);
  const far = reader([sync(3), 'e:3'], ['cut'], [control('resumed', { mode: 'tail', from: 5, to: 5 })]);
  expect(far.figures.lost).toBe(2);
  expect(reader([sync(3), 'e:3'], ['cut'], [sync(3), 'e:3']).figures.replaced).toBe(1);
});

test('a reader of several groups reads the position of each from the list', () => {
  const exact = new ExactEvents(['s/a', 's/b']);
  expect([exact.target, exact.hasBegun]).toEqual(['/events?group=s/a&group=s/b', false]);
  exact.take({ data: sync(3), id: 'e:3,' });
  exact.take({ data: sync(2).replace('"a"', '"b"'), id: 'e:3,e:2' });
  exact.take({ data: change(4), id: 'e:2,e:4' });
  expect([exact.offsetOf('s/a'), exact.offsetOf('s/b'), exact.figures.wrongIds]).toEqual([4, 2, 1]);
});
