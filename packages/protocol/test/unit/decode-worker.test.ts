import { describe, expect, it } from 'vitest';
import { decodeWorkerMessage } from '../../src/decode/decode-worker.js';
import { LIMITS } from '../../src/limits.js';
import {
  answerable,
  answerWith,
  decode,
  ID,
  KINDS,
  refused,
  TOO_LONG,
  TRIGGER_CONFIG,
  TRIGGER_FUNCTION,
  TRIGGER_TYPE,
} from '../worker-kinds.js';

describe.each(KINDS.map((kind) => ({ type: kind.message.type, kind })))('a $type frame', ({ kind }) => {
  const { frame, message, keys } = kind;

  it('is accepted with every field', () => {
    expect(decode(frame)).toStrictEqual({ kind: 'message', message });
    expect(Object.keys(keys).sort()).toEqual(
      Object.keys(frame)
        .filter((key) => key !== 'type')
        .sort(),
    );
  });

  it('means the same with keys in another order and with unknown keys', () => {
    const reversed = Object.fromEntries(Object.entries({ message_type: 'x', ...frame, namespaces: [] }).reverse());
    expect(decode(reversed)).toStrictEqual({ kind: 'message', message });
  });

  it('reads an absent key and a null key alike, as what the source promises', () => {
    const owed = Object.entries(keys).map(([key, { absent }]) => [key, answerWith(kind, key, absent)]);
    const without = (key: string) => Object.fromEntries(Object.entries(frame).filter(([each]) => each !== key));
    expect(Object.keys(keys).map((key) => [key, decode(without(key))])).toStrictEqual(owed);
    expect(Object.keys(keys).map((key) => [key, decode({ ...frame, [key]: null })])).toStrictEqual(owed);
  });

  it('is refused, or read as if the key were absent, when a value has the wrong type', () => {
    const cases = Object.entries(keys).flatMap(([key, { wrong = [], whenWrong }]) => wrong.map((value) => ({ key, value, whenWrong })));
    const owed = cases.map(({ key, value, whenWrong }) => [key, value, answerWith(kind, key, whenWrong)]);
    expect(cases.map(({ key, value }) => [key, value, decode({ ...frame, [key]: value })])).toStrictEqual(owed);
  });

  it('never takes a key from __proto__ or a constructor', () => {
    const inherited = `{"type":${JSON.stringify(frame.type)},"__proto__":${JSON.stringify(frame)},"constructor":${JSON.stringify({ prototype: frame })}}`;
    expect(decodeWorkerMessage(inherited)).toStrictEqual(decode({ type: frame.type }));
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });
});

describe('names', () => {
  const atBound = 'x'.repeat(LIMITS.registryIdBytes);
  const withId = KINDS.filter(({ keys }) => keys.id !== undefined);

  it('may have as many bytes as the limit says', () => {
    for (const { frame, message } of withId) {
      expect(decode({ ...frame, id: atBound })).toStrictEqual({ kind: 'message', message: { ...message, id: atBound } });
    }
  });

  it('are refused beyond the limit, which counts UTF-8 bytes and not characters', () => {
    const euros = '€'.repeat(Math.floor(LIMITS.registryIdBytes / 3) + 1);
    for (const { frame } of withId) {
      expect(decode({ ...frame, id: TOO_LONG })).toStrictEqual(ID);
      expect(decode({ ...frame, id: euros })).toStrictEqual(ID);
    }
  });

  it('of a trigger are refused beyond the limit, and never repeated in an answer', () => {
    const trigger = { type: 'registertrigger', id: 't1', trigger_type: 'stream', function_id: 'chat::onMessage' };
    expect(decode({ ...trigger, trigger_type: TOO_LONG })).toStrictEqual(answerable(TRIGGER_TYPE, { type: '' }));
    expect(decode({ ...trigger, function_id: TOO_LONG })).toStrictEqual(answerable(TRIGGER_FUNCTION, { functionId: '' }));
    for (const id of [TOO_LONG, 7, undefined]) expect(decode({ ...trigger, id, config: 7 })).toStrictEqual(TRIGGER_CONFIG);
  });

  it('of a function that is called are refused beyond the limit, and the caller gets a shortened name', () => {
    expect(decode({ type: 'invokefunction', invocation_id: 'i1', function_id: TOO_LONG })).toStrictEqual({
      ...refused('function_id is too long'),
      invocationId: 'i1',
      functionId: 'x'.repeat(64),
    });
  });

  it('of an invocation are refused beyond the limit, and never repeated in an answer', () => {
    for (const function_id of ['f', TOO_LONG, 7]) {
      expect(decode({ type: 'invokefunction', invocation_id: TOO_LONG, function_id })).toStrictEqual(refused('invocation_id is too long'));
    }
  });
});

describe('the action of an invocation', () => {
  const actionOf = (action: unknown) => {
    const decoded = decode({ type: 'invokefunction', function_id: 'f', action });
    return decoded.kind === 'message' && decoded.message.type === 'invokefunction' ? decoded.message.action : decoded;
  };

  it.each([
    [{ type: 'void' }, { type: 'void' }],
    [{ type: 'void', queue: 'q' }, { type: 'void' }],
    [
      { type: 'enqueue', queue: 'q' },
      { type: 'enqueue', queue: 'q' },
    ],
    [{ type: 'enqueue' }, { type: 'enqueue', queue: '' }],
    [
      { type: 'enqueue', queue: 5 },
      { type: 'enqueue', queue: '' },
    ],
    [{ type: 'later' }, { type: 'unknown', name: 'later' }],
    [{ type: 'y'.repeat(100) }, { type: 'unknown', name: 'y'.repeat(64) }],
    [{ type: 7 }, { type: 'unknown', name: '' }],
    [{}, { type: 'unknown', name: '' }],
    ['void', { type: 'unknown', name: 'string' }],
    [[], { type: 'unknown', name: 'object' }],
    [3, { type: 'unknown', name: 'number' }],
    [null, undefined],
  ])('%j becomes %j', (action, expected) => {
    expect(actionOf(action)).toStrictEqual(expected);
  });
});

describe('the error of a worker', () => {
  it.each([
    [
      { code: 'E', message: 'm', stacktrace: 's', more: 1 },
      { code: 'E', message: 'm', stacktrace: 's' },
    ],
    [
      { code: 7, message: { a: 1 } },
      { code: '7', message: '{"a":1}' },
    ],
    [
      { code: null, message: null, stacktrace: 5 },
      { code: 'UNKNOWN', message: '' },
    ],
    [{}, { code: 'UNKNOWN', message: '' }],
    ['boom', { code: 'UNKNOWN', message: 'boom' }],
    [['a'], { code: 'UNKNOWN', message: '["a"]' }],
    [false, { code: 'UNKNOWN', message: 'false' }],
    [null, undefined],
  ])('%j is read as %j', (error, expected) => {
    const decoded = decode({ type: 'invocationresult', invocation_id: 'i1', function_id: 'f', error });
    expect(decoded).toMatchObject({ kind: 'message', message: { invocation_id: 'i1' } });
    expect(decoded.kind === 'message' && decoded.message.type === 'invocationresult' && decoded.message.error).toStrictEqual(expected);
  });
});
