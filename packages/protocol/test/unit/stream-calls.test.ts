import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeStreamMessage } from '../../src/decode/decode-stream.js';
import { decodeStreamFrame } from '../../src/decode/decode-stream-frame.js';
import { encodeCallError, encodeCallResult } from '../../src/encode/encode-stream.js';
import { LIMITS } from '../../src/limits.js';

const decode = (data: unknown) => decodeStreamMessage(JSON.stringify({ type: 'call', data }));
const refusal = (callId: string | undefined) => ({ kind: 'invalid', code: 'deserialization_error', call: { callId } });
const CALL = { callId: 'c1', functionId: 'app::f' };
const NOT_A_CALL_ID: readonly unknown[] = [undefined, null, '', 7, {}, 'x'.repeat(257), 'é'.repeat(129)];

describe('RV-60: a call', () => {
  it('has an id and a function; everything else is optional', () => {
    const least = { type: 'call', ...CALL, data: null, confirm: [], inexactNumbers: false };
    const absent = { idempotencyKey: undefined, repeatedAfterMs: undefined, timeoutMs: undefined };
    expect(decode(CALL)).toStrictEqual({ kind: 'message', message: { ...least, ...absent } });
    const confirm = [{ streamName: 'board', groupId: 'main' }];
    const all = { ...CALL, data: { a: [1] }, idempotencyKey: 'k', repeatedAfterMs: 0, confirm, timeoutMs: 1 };
    expect(decode({ ...all, later: 1 })).toStrictEqual({ kind: 'message', message: { ...least, ...all } });
    expect(decode({ ...CALL, data: 2 ** 60 })).toMatchObject({ message: { inexactNumbers: true } });
  });

  it('with a wrong id is refused without an id', () => {
    for (const callId of NOT_A_CALL_ID) expect(decode({ ...CALL, callId })).toMatchObject(refusal(undefined));
    expect(decode([])).toMatchObject(refusal(undefined));
    expect(decode(undefined)).toMatchObject(refusal(undefined));
    expect(decode({ ...CALL, callId: 'é'.repeat(128) })).toMatchObject({ kind: 'message' });
  });

  it.each([
    { functionId: '' },
    { functionId: 7 },
    { functionId: 'x'.repeat(1_025) },
    { idempotencyKey: '' },
    { idempotencyKey: 7 },
    { idempotencyKey: 'é'.repeat(129) },
    { repeatedAfterMs: -1 },
    { repeatedAfterMs: 1.5 },
    { repeatedAfterMs: '1' },
    { timeoutMs: 0 },
    { timeoutMs: 2 ** 60 },
    { confirm: {} },
    { confirm: [1] },
    { confirm: [{ streamName: 'a' }] },
    { confirm: [{ streamName: 'a', groupId: 'x'.repeat(1_025) }] },
    { confirm: Array.from({ length: LIMITS.callConfirms + 1 }, () => ({ streamName: 'a', groupId: 'b' })) },
  ])('with %j is refused by its id', (wrong) => {
    expect(decode({ ...CALL, ...wrong })).toMatchObject(refusal('c1'));
  });

  it('that is too deep or has too many values or keys is refused by its id', () => {
    const deep = '{"a":'.repeat(100) + '1' + '}'.repeat(100);
    const many = `[${'0,'.repeat(LIMITS.jsonNodes)}0]`;
    const keys = JSON.stringify(Object.fromEntries(Array.from({ length: LIMITS.guestKeys + 1 }, (_, index) => [`k${index}`, 1])));
    for (const value of [deep, many, keys]) {
      expect(decodeStreamMessage(`{"type":"call","data":{"callId":"c1","functionId":"f","data":${value}}}`)).toMatchObject(refusal('c1'));
      expect(decodeStreamMessage(`{"type":"call","data":{"functionId":"f","data":${value}}}`)).toMatchObject(refusal(undefined));
      expect(decodeStreamMessage(`{"type":"join","data":{"callId":"c1","data":${value}}}`)).not.toHaveProperty('call');
    }
  });

  it('never makes the decoder throw, whatever its members are', () => {
    const member = fc.oneof(fc.jsonValue(), fc.string());
    const keys = ['callId', 'functionId', 'data', 'idempotencyKey', 'repeatedAfterMs', 'confirm', 'timeoutMs'];
    const data = fc.oneof(fc.record(Object.fromEntries(keys.map((key) => [key, member])), { requiredKeys: [] }), member);
    fc.assert(fc.property(data, (given) => ['message', 'invalid'].includes(decode(given).kind)));
  });
});

describe('RV-61, RV-62: the answer to a call', () => {
  const position = { streamName: 'board', groupId: 'main', epoch: 'e', offset: 8 };

  it('comes back from its text', () => {
    const result = { type: 'result', callId: 'c"1', result: { a: [1] }, positions: [undefined, position] };
    expect(decodeStreamFrame(encodeCallResult('c"1', '{"a":[1]}', [undefined, position]))).toStrictEqual({
      kind: 'message',
      message: result,
    });
    expect(decodeStreamFrame(encodeCallResult('c1', undefined, []))).toMatchObject({ message: { result: null, positions: [] } });
    const error = { code: 'NOT_OWNER', message: 'not "yours"', error_id: 'e7', stacktrace: 'secret' };
    const { stacktrace: _, error_id: errorId, ...shown } = error;
    expect(decodeStreamFrame(encodeCallError('c1', error, [position]))).toStrictEqual({
      kind: 'message',
      message: { type: 'call_error', callId: 'c1', ...shown, errorId, ran: undefined, positions: [position] },
    });
    expect(decodeStreamFrame(encodeCallError('c1', error, [], true))).toMatchObject({ message: { ran: true } });
    expect(encodeCallError('c1', error)).not.toContain('secret');
  });

  it('has an undefined position for each one that can not be read, and at most eight', () => {
    const wrong = [null, 1, {}, { ...position, offset: -1 }, { ...position, epoch: '' }, { ...position, groupId: 7 }];
    const frame = (positions: unknown) => decodeStreamFrame(JSON.stringify({ type: 'result', data: { callId: 'c1', positions } }));
    expect(frame([...wrong, position])).toMatchObject({ message: { positions: [...wrong.map(() => undefined), position] } });
    expect(frame(Array(100).fill(position))).toMatchObject({ message: { positions: Array(8).fill(position) } });
    expect(frame('no list')).toMatchObject({ message: { positions: [] } });
  });

  it('without an id, or an error without a code, is no frame of the protocol', () => {
    for (const frame of [{ type: 'result', data: {} }, { type: 'result' }, { type: 'call_error', data: { callId: 'c1' } }])
      expect(decodeStreamFrame(JSON.stringify(frame)).kind).toBe('invalid');
  });
});
