import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DecodedStreamFrame, decodeStreamFrame } from '../../src/decode/decode-stream-frame.js';
import {
  encodeChange,
  encodeEvent,
  encodeGroupSyncHead,
  encodeGroupSyncTail,
  encodeItemSync,
  encodeUnauthorized,
} from '../../src/encode/encode-stream.js';
import { encodeControl } from '../../src/messages/control-frames.js';

const TARGET = { streamName: 'chat', groupId: 'r1' };
const HEAD = { type: 'stream', timestamp: 1, ...TARGET };
const read = (frame: unknown) => decodeStreamFrame(JSON.stringify(frame));
const message = (frame: unknown) => {
  const decoded = read(frame);
  return decoded.kind === 'message' ? decoded.message : decoded;
};

/** Returns whether a decoded frame keeps the promises of its type. */
function isSound(decoded: DecodedStreamFrame): boolean {
  if (decoded.kind !== 'message') return true;
  const { message: made } = decoded;
  if ('offset' in made && made.offset !== undefined && !Number.isSafeInteger(made.offset)) return false;
  return made.type !== 'group_sync' || [made.ids, made.created].every((list) => list === undefined || list.length === made.data.length);
}

describe('decodeStreamFrame', () => {
  it('answers for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(['message', 'ignored', 'invalid']).toContain(decodeStreamFrame(text).kind);
      }),
    );
  });

  it('answers for any members in any frame', () => {
    const anything = fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 1.5, 2 ** 53, '', 'e1', [], [-1], ['m1'], [null], {}, 'm'.repeat(5_000)));
    const type = fc.constantFrom('stream', 'stale', 'resumed', 'caught_up', 'gap', 'error', 'refreshed', 'expiring');
    const event = fc.record({
      type: fc.constantFrom('sync', 'create', 'update', 'delete', 'event', 'unauthorized'),
      data: anything,
      event: anything,
    });
    const names = ['id', 'offset', 'created', 'through', 'epoch', 'ids', 'part', 'last', 'reason', 'streamName', 'groupId', 'event'];
    const inner = [
      'subscriptionId',
      'mode',
      'epoch',
      'from',
      'to',
      'offset',
      'after',
      'through',
      'count',
      'code',
      'message',
      'expiresAtMs',
    ];
    const frame = fc
      .tuple(type, event, fc.dictionary(fc.constantFrom(...names), anything), fc.dictionary(fc.constantFrom(...inner), anything))
      .map(([kind, streamEvent, top, data]) => ({ ...HEAD, type: kind, event: streamEvent, data, ...top }));
    fc.assert(
      fc.property(frame, (value) => {
        expect(isSound(read(value))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads what the engine writes to everybody', () => {
    const frame = { timestamp: 5, streamName: 'chat', groupId: 'r1', id: 'm1', offset: 9, epoch: 'e' };
    const decode = (text: string) => {
      const decoded = decodeStreamFrame(text);
      return decoded.kind === 'message' ? decoded.message : decoded;
    };
    expect(decode(encodeChange({ ...frame, created: 3 }, 'update', '{"a":1}'))).toEqual({
      ...TARGET,
      type: 'update',
      itemId: 'm1',
      data: { a: 1 },
      offset: 9,
      created: 3,
    });
    const event = encodeEvent({ ...frame, id: undefined }, 'typing', 'null');
    expect(decode(event)).toEqual({ ...TARGET, type: 'event', name: 'typing', data: null, offset: 9 });
    const position = { epoch: 'e', offset: 9 };
    expect(decode(encodeItemSync(frame, '1', 4))).toEqual({ ...TARGET, type: 'item_sync', itemId: 'm1', data: 1, created: 4, position });
    const tail = encodeGroupSyncTail({ ...position, reason: 'floor' }, { ids: '"a"', created: '4' }, { part: 0, last: false });
    expect(decode(`${encodeGroupSyncHead(5, 'chat', 'r1')}7${tail}`)).toEqual({
      ...TARGET,
      type: 'group_sync',
      data: [7],
      ids: ['a'],
      created: [4],
      position,
      part: 0,
      last: false,
      reason: 'floor',
    });
    expect(decode(encodeUnauthorized(5, 'chat', 'r1'))).toEqual({ ...TARGET, type: 'unauthorized' });
    const resumed = { subscriptionId: 's', mode: 'tail', epoch: 'e', from: 4, to: 9 } as const;
    expect(decode(encodeControl({ type: 'resumed', data: resumed }))).toEqual({ type: 'resumed', ...resumed });
    expect(decode(encodeControl({ type: 'stale', data: { subscriptionId: 's' } }))).toEqual({ type: 'stale', subscriptionId: 's' });
    expect(decode(encodeControl({ type: 'refreshed', data: { expiresAtMs: null } }))).toEqual({ type: 'refreshed' });
  });

  it('RV-1 RV-2 RV-11 reads positions', () => {
    const sync = { ...HEAD, id: null, event: { type: 'sync', data: [1, 2] }, ids: ['a', 'b'], created: [3, 4], offset: 7, epoch: 'e' };
    expect(message(sync)).toEqual({
      ...TARGET,
      type: 'group_sync',
      data: [1, 2],
      ids: ['a', 'b'],
      created: [3, 4],
      position: { epoch: 'e', offset: 7 },
      last: true,
    });
    expect(message({ ...sync, part: 3, last: false, reason: 'floor' })).toMatchObject({ part: 3, last: false, reason: 'floor' });
    expect(message({ ...HEAD, id: 'a', event: { type: 'create', data: 1 }, offset: 9, created: 8, through: 12 })).toMatchObject({
      offset: 9,
      created: 8,
      through: 12,
    });
  });

  it.each([
    ['an item without an id', { ...HEAD, event: { type: 'create', data: 1 } }],
    ['a change without data', { ...HEAD, id: 'a', event: { type: 'create' } }],
    ['an id that is no text', { ...HEAD, id: 4, event: { type: 'create', data: 1 } }],
    ['an id that is too long', { ...HEAD, id: 'a'.repeat(1_025), event: { type: 'create', data: 1 } }],
    ['an offset below zero', { ...HEAD, id: 'a', event: { type: 'create', data: 1 }, offset: -1 }],
    ['an offset that is no whole number', { ...HEAD, id: 'a', event: { type: 'create', data: 1 }, offset: 1.5 }],
    ['an offset beyond what can be counted', { ...HEAD, id: 'a', event: { type: 'create', data: 1 }, offset: 2 ** 53 }],
    ['a creation after the change', { ...HEAD, id: 'a', event: { type: 'update', data: 1 }, offset: 4, created: 5 }],
    ['a batch that ended before', { ...HEAD, id: 'a', event: { type: 'update', data: 1 }, offset: 4, through: 3 }],
    ['a sync of no list', { ...HEAD, event: { type: 'sync', data: {} } }],
    ['too few ids', { ...HEAD, event: { type: 'sync', data: [1, 2] }, ids: ['a'], created: [1, 2], offset: 2, epoch: 'e' }],
    ['a part without a position', { ...HEAD, event: { type: 'sync', data: [1] }, ids: ['a'], created: [1], part: 0 }],
    ['no group', { ...HEAD, groupId: undefined, event: { type: 'sync', data: [] } }],
    ['no event', HEAD],
    ['an event without a name', { ...HEAD, event: { type: 'event', event: {} } }],
    ['resumed backwards', { type: 'resumed', data: { subscriptionId: 's', mode: 'tail', epoch: 'e', from: 5, to: 4 } }],
    ['resumed in no known way', { type: 'resumed', data: { subscriptionId: 's', mode: 'x', epoch: 'e', from: 5, to: 5 } }],
    ['a gap backwards', { type: 'gap', data: { subscriptionId: 's', after: 5, through: 4 } }],
    ['an error without a code', { type: 'error', data: {} }],
    ['stale of nobody', { type: 'stale', data: {} }],
    ['control without data', { type: 'caught_up' }],
    ['a list', []],
  ])('refuses %s', (_what, frame) => {
    expect(read(frame)).toMatchObject({ kind: 'invalid' });
  });

  it('passes over what it does not know', () => {
    expect(read({ type: 'later', data: 4 })).toEqual({ kind: 'ignored', type: 'later' });
    expect(read({ ...HEAD, event: { type: 'later' } })).toMatchObject({ kind: 'ignored' });
    expect(read({})).toEqual({ kind: 'ignored', type: '' });
  });

  it('bounds length and depth before it parses', () => {
    expect(decodeStreamFrame('{"type":"later"}', 15)).toEqual({ kind: 'invalid', reason: 'too large' });
    expect(decodeStreamFrame(`${'['.repeat(100_000)}`)).toEqual({ kind: 'invalid', reason: 'nested too deep' });
  });

  it('takes keys of prototypes as plain data', () => {
    const text =
      '{"type":"stream","streamName":"chat","groupId":"r1","id":"a","__proto__":{"offset":1},"event":{"type":"create","data":{"__proto__":{"x":1}}}}';
    const decoded = decodeStreamFrame(text);
    expect(decoded).toMatchObject({ kind: 'message', message: { type: 'create', itemId: 'a' } });
    expect(decoded.kind === 'message' && 'offset' in decoded.message && decoded.message.offset).toBeUndefined();
  });
});
