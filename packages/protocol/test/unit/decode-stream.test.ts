import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeStreamMessage } from '../../src/decode/decode-stream.js';
import type { Undecodable } from '../../src/decode/decoded.js';
import { isRegistryId } from '../../src/json/json-fields.js';
import { LIMITS } from '../../src/limits.js';
import type { StreamClientMessage } from '../../src/messages/stream-messages.js';

type Fields = Readonly<Record<string, unknown>>;

const decode = (frame: unknown) => decodeStreamMessage(JSON.stringify(frame));
const join = (data: Fields) => decode({ type: 'join', data });
const refused = (reason: string): Undecodable => ({ kind: 'invalid', code: 'deserialization_error', reason });
const joined = (itemId: string | undefined) => ({
  kind: 'message',
  message: { type: 'join', subscriptionId: 's1', streamName: 'chat', groupId: 'room-1', itemId, positions: false, since: undefined },
});

const GROUP = { subscriptionId: 's1', streamName: 'chat', groupId: 'room-1' };
const SUBSCRIPTION = refused('subscriptionId must be a string within bounds');
const NAMES = refused('streamName, groupId and id must be strings');
const NOT_TEXT: readonly unknown[] = [0, -1.5, true, false, [], ['a'], {}, { a: 'b' }];
const TOO_LONG = 'x'.repeat(LIMITS.registryIdBytes + 1);

describe('a join', () => {
  it('of an item is accepted with every field', () => {
    expect(join({ ...GROUP, id: 'm1' })).toStrictEqual(joined('m1'));
  });

  it.each([{}, { id: null }, { id: '' }])('with %j is one of the whole group', (id) => {
    expect(join({ ...GROUP, ...id })).toStrictEqual(joined(undefined));
  });

  it('means the same with unknown keys and with keys in another order', () => {
    const data = { extra: [1], groupId: 'room-1', id: 'm1', streamName: 'chat', subscriptionId: 's1' };
    expect(decode({ data, message_type: 'x', type: 'join' })).toStrictEqual(joined('m1'));
  });

  it('may name empty strings, and names longer than the store takes: those are refused there with a code of their own', () => {
    const message = {
      type: 'join',
      subscriptionId: '',
      streamName: '',
      groupId: TOO_LONG,
      itemId: TOO_LONG,
      positions: false,
      since: undefined,
    };
    expect(join({ subscriptionId: '', streamName: '', groupId: TOO_LONG, id: TOO_LONG })).toStrictEqual({ kind: 'message', message });
  });

  it('is refused when subscriptionId is absent, no string or beyond the limit', () => {
    const wrong = [undefined, null, ...NOT_TEXT, TOO_LONG, '€'.repeat(LIMITS.registryIdBytes / 2)];
    expect(wrong.map((subscriptionId) => join({ ...GROUP, subscriptionId }))).toStrictEqual(wrong.map(() => SUBSCRIPTION));
  });

  it.each(['streamName', 'groupId'])('is refused when %s is absent or no string', (key) => {
    const wrong = [undefined, null, ...NOT_TEXT];
    expect(wrong.map((value) => join({ ...GROUP, [key]: value }))).toStrictEqual(wrong.map(() => NAMES));
  });

  it('is refused when id is no string', () => {
    expect(NOT_TEXT.map((id) => join({ ...GROUP, id }))).toStrictEqual(NOT_TEXT.map(() => NAMES));
  });
});

describe('a join with positions', () => {
  const message = { type: 'join', ...GROUP, itemId: undefined };

  it('RV-4 says so by itself, or by the position that it brings along', () => {
    expect(join({ ...GROUP, positions: true })).toStrictEqual({
      kind: 'message',
      message: { ...message, positions: true, since: undefined },
    });
    const since = { epoch: 'e', offset: 7 };
    expect(join({ ...GROUP, since: 'e:7' })).toStrictEqual({ kind: 'message', message: { ...message, positions: true, since } });
    expect(join({ ...GROUP, since: null, positions: 'yes' })).toStrictEqual({
      kind: 'message',
      message: { ...message, positions: false, since: undefined },
    });
  });

  it('RV-8 is not refused for a position that is none', () => {
    const wrong = ['', 'e', ':1', 'e:-1', 'e:1.5', `e:${2 ** 53}`, `${'e'.repeat(300)}:1`, 7, {}, []];
    expect(wrong.map((since) => join({ ...GROUP, since }))).toStrictEqual(
      wrong.map(() => ({ kind: 'message', message: { ...message, positions: true, since: 'malformed' } })),
    );
  });
});

describe('a refresh', () => {
  it('RV-14 carries a token within bounds', () => {
    expect(decode({ type: 'refresh', data: { token: 't' } })).toStrictEqual({ kind: 'message', message: { type: 'refresh', token: 't' } });
    const wrong = [undefined, null, ...NOT_TEXT, 'x'.repeat(LIMITS.tokenChars + 1)];
    expect(wrong.map((token) => decode({ type: 'refresh', data: { token } }))).toStrictEqual(
      wrong.map(() => refused('token must be a string within bounds')),
    );
  });
});

describe('a leave', () => {
  it.each([{}, { streamName: 'chat', groupId: 'room-1' }, { streamName: 5, groupId: null, id: [] }])(
    'needs no more than subscriptionId: %j',
    (rest) => {
      expect(decode({ type: 'leave', data: { subscriptionId: 's1', ...rest } })).toStrictEqual({
        kind: 'message',
        message: { type: 'leave', subscriptionId: 's1' },
      });
    },
  );

  it('is refused when subscriptionId is absent, no string or beyond the limit', () => {
    const wrong = [undefined, null, ...NOT_TEXT, TOO_LONG];
    expect(wrong.map((subscriptionId) => decode({ type: 'leave', data: { subscriptionId } }))).toStrictEqual(wrong.map(() => SUBSCRIPTION));
  });
});

describe('what is no message', () => {
  it.each(['', ' \r\n\t', '\ufeff'])('ST-25 blank text %j is ignored', (blank) => {
    expect(decodeStreamMessage(blank)).toStrictEqual({ kind: 'ignored', reason: 'blank' });
  });

  it.each(['{', '{"type":"join"', "{'type':'join'}", '\u0000', 'undefined', Buffer.from([0xc3, 0x28, 0xff]).toString()])(
    'ST-25 %j is refused as no JSON',
    (broken) => {
      expect(decodeStreamMessage(broken)).toStrictEqual(refused('not JSON'));
    },
  );

  it.each(['null', '1', '"join"', '[]', '[{"type":"leave"}]'])('ST-25 %s is refused as no object', (json) => {
    expect(decodeStreamMessage(json)).toStrictEqual(refused('not a JSON object'));
  });

  it.each([undefined, null, 7, ['join']])('ST-25 the type %j is ignored', (type) => {
    expect(decode({ type, data: GROUP })).toStrictEqual({ kind: 'ignored', reason: 'unknown_type', type: '' });
  });

  it.each(['Join', 'ping', '__proto__', 'constructor'])('ST-25 the unknown type %s is ignored and named', (type) => {
    expect(decode({ type, data: GROUP })).toStrictEqual({ kind: 'ignored', reason: 'unknown_type', type });
  });

  it('ST-25 names no more than 64 characters of an unknown type', () => {
    expect(decode({ type: 'z'.repeat(100_000) })).toStrictEqual({ kind: 'ignored', reason: 'unknown_type', type: 'z'.repeat(64) });
  });

  it.each(['join', 'leave'])('ST-25 a %s without an object as data is refused', (type) => {
    const wrong = [undefined, null, 'text', 5, true, [], [GROUP]];
    expect(wrong.map((data) => decode({ type, data }))).toStrictEqual(wrong.map(() => refused('data must be an object')));
  });

  it('ST-25 never takes a key from __proto__ or a constructor', () => {
    const group = JSON.stringify(GROUP);
    expect(decodeStreamMessage(`{"__proto__":{"type":"join","data":${group}}}`)).toMatchObject({ kind: 'ignored' });
    expect(decodeStreamMessage(`{"type":"join","__proto__":{"data":${group}}}`)).toStrictEqual(refused('data must be an object'));
    expect(decodeStreamMessage(`{"type":"join","data":{"__proto__":${group},"constructor":${group}}}`)).toStrictEqual(SUBSCRIPTION);
    expect(decodeStreamMessage('{"type":"leave","data":{"subscriptionId":"__proto__"}}')).toMatchObject({
      message: { subscriptionId: '__proto__' },
    });
  });

  it('ST-25 is refused before it is parsed when nested deeper or holding more values than the limits', () => {
    const deep = refused('nested deeper than 64 levels');
    const nested = (levels: number) => `{"type":"leave","data":{"subscriptionId":"s1","x":${'['.repeat(levels)}${']'.repeat(levels)}}}`;
    expect(decodeStreamMessage(nested(LIMITS.jsonDepth - 2)).kind).toBe('message');
    expect(decodeStreamMessage(nested(LIMITS.jsonDepth - 1))).toStrictEqual(deep);
    expect(decodeStreamMessage('{"a":'.repeat(50_000))).toStrictEqual(deep);
    const x = Array.from({ length: LIMITS.jsonNodes }, () => 0);
    expect(decode({ type: 'leave', data: { subscriptionId: 's1', x } })).toStrictEqual(refused('more than 100000 values'));
  });
});

describe('properties', () => {
  const anyString = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 200 }).map((data) => Buffer.from(data).toString()),
  );
  const value = fc.oneof(fc.string(), fc.constant(TOO_LONG), fc.jsonValue());
  const anyFrame = fc.record(
    {
      type: fc.oneof(fc.constant('join'), fc.constant('leave'), value),
      data: fc.oneof(
        fc.record({ subscriptionId: value, streamName: value, groupId: value, id: value }, { requiredKeys: [] }),
        fc.jsonValue(),
      ),
    },
    { requiredKeys: [] },
  );

  function isWithinBounds(message: StreamClientMessage): boolean {
    if (message.type === 'refresh') return message.token.length <= LIMITS.tokenChars;
    return isRegistryId(message.type === 'call' ? message.functionId : message.subscriptionId);
  }

  function answers(frame: string): boolean {
    const decoded = decodeStreamMessage(frame);
    switch (decoded.kind) {
      case 'invalid':
        return decoded.code === 'deserialization_error';
      case 'ignored':
        return (decoded.type ?? '').length <= 64;
      case 'message':
        return isWithinBounds(decoded.message);
      default:
        return decoded satisfies never;
    }
  }

  it('ST-25 any bytes get an answer within bounds', () => {
    fc.assert(fc.property(anyString, answers), { numRuns: 500 });
  });

  it('ST-25 a lawful frame with any bytes put in its place gets an answer within bounds', () => {
    const lawful = JSON.stringify({ type: 'join', data: { ...GROUP, id: 'm1' } });
    fc.assert(
      fc.property(fc.nat(lawful.length), fc.nat(8), anyString, (at, removed, added) =>
        answers(lawful.slice(0, at) + added + lawful.slice(at + removed)),
      ),
      { numRuns: 500 },
    );
  });

  it('ST-25 any JSON value gets an answer within bounds', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), anyFrame), (frame) => answers(JSON.stringify(frame))),
      { numRuns: 1_000 },
    );
  });

  it('names of any characters come out as they went in', () => {
    const name = fc.string({ unit: 'binary', maxLength: 40 });
    fc.assert(
      fc.property(name, name, name, name, (subscriptionId, streamName, groupId, id) => {
        const message = {
          type: 'join',
          subscriptionId,
          streamName,
          groupId,
          itemId: id === '' ? undefined : id,
          positions: false,
          since: undefined,
        };
        expect(join({ subscriptionId, streamName, groupId, id })).toStrictEqual({ kind: 'message', message });
      }),
    );
  });
});
