import { expect, it } from 'vitest';
import { EventEncoder, type EventState } from '../../src/stream/reading/events/event-encoder.js';
import type { EventLayout, LayoutGroup } from '../../src/stream/reading/events/event-layout.js';
import { encodeTextFrame } from '../../src/transport/websocket-frame.js';

const group = (name: string, item?: string): LayoutGroup => ({
  stream: 'chat',
  group: name,
  item,
  id: `chat/${name}${item === undefined ? '' : `/${item}`}`,
  hasPositions: true,
});
const layoutOf = (key: string, ...groups: readonly LayoutGroup[]): EventLayout => ({ key, groups, isList: groups.length > 1 });
const stateAt = (...offsets: readonly (number | undefined)[]): EventState => ({
  groups: offsets.map((offset) => ({ position: offset === undefined ? undefined : { epoch: 'e"1', offset }, isChanging: false })),
  open: undefined,
});
const change = (offset: number, more: object = {}) =>
  encodeTextFrame(
    JSON.stringify({ type: 'stream', timestamp: 1, streamName: 'chat', groupId: 'a', id: 'i', event: { data: 1 }, offset, ...more }),
  );

it('a reader gets the same events and state, whoever was served before it', () => {
  const layouts = [layoutOf('1', group('a')), layoutOf('2', group('a', 'i')), layoutOf('3', group('a'), group('b'))];
  const offsets = [undefined, 1, 2, 3];
  const states = offsets.flatMap((one) => offsets.map((other) => stateAt(one, other)));
  const flushes = [
    change(4),
    change(4, { through: 5 }),
    Buffer.concat([change(4), change(5, { through: 6 })]),
    Buffer.concat([change(4, { through: 5 }), change(5, { through: 5 }), change(6).subarray(0, 0)]),
    encodeTextFrame('{"type":"resumed","data":{"subscriptionId":"chat/a","mode":"changes","epoch":"e\\"1","from":1,"to":4}}'),
    encodeTextFrame('{"type":"caught_up","data":{"subscriptionId":"chat/a","epoch":"x","offset":9}}'),
    encodeTextFrame('{"type":"expiring","data":{"expiresAtMs":1}}'),
  ];
  for (const frames of flushes) {
    const shared = new EventEncoder();
    for (const layout of layouts)
      for (const { groups } of states) {
        const state = { groups: groups.slice(0, layout.groups.length), open: undefined };
        const { bytes, after } = shared.encode(frames, layout, state);
        const alone = new EventEncoder().encode(frames, layout, { ...state });
        expect([bytes.toString(), after]).toEqual([alone.bytes.toString(), alone.after]);
      }
  }
});

it('readers of a group share one buffer, also when they joined at different positions', () => {
  const encoder = new EventEncoder();
  const layout = layoutOf('1', group('a', 'i'));
  const frames = change(9);
  const first = encoder.encode(frames, layout, stateAt(1));
  expect(encoder.encode(frames, layout, stateAt(5))).toBe(first);
  const batch = change(9, { through: 10 });
  const whole = layoutOf('2', group('a'));
  const begun = encoder.encode(batch, whole, stateAt(8));
  expect(encoder.encode(batch, whole, stateAt(8))).toBe(begun);
  expect(encoder.encode(batch, whole, stateAt(7)).after.groups[0]?.position?.offset).toBe(7);
});

it('the cost of a flush grows with the readers, and not with their square', () => {
  const cost = (readers: number): number => {
    const layouts = Array.from({ length: readers }, (_, index) => layoutOf(`${index}`, group('a'), group(`own-${index}`)));
    const states = layouts.map((_, index) => stateAt(3, index));
    const before = process.cpuUsage();
    const encoder = new EventEncoder();
    const frames = change(4);
    for (const [index, layout] of layouts.entries()) encoder.encode(frames, layout, states[index] as EventState);
    const one = layouts[0] as EventLayout;
    for (const state of states) encoder.encode(frames, one, state);
    const { user } = process.cpuUsage(before);
    return user;
  };
  cost(500);
  const small = Math.min(cost(500), cost(500), cost(500));
  // Eight times the readers. Sixty-four times the cost would be the square.
  expect(Math.min(cost(4_000), cost(4_000))).toBeLessThan(30 * Math.max(small, 2_000));
});
