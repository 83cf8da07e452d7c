import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWorkerMessage } from '../../src/decode/decode-worker.js';
import type { Undecodable } from '../../src/decode/decoded.js';
import {
  encodeError,
  encodeInvoke,
  encodeRegisterTrigger,
  encodeResult,
  encodeTriggerResult,
  encodeUnregisterTrigger,
  encodeWorkerRegistered,
  PONG_TEXT,
} from '../../src/encode/encode-worker.js';
import { ERROR_CODES } from '../../src/errors.js';
import { isRegistryId, namespaceRule } from '../../src/json/json-fields.js';
import { LIMITS } from '../../src/limits.js';
import type { WorkerMessage } from '../../src/messages/worker-messages.js';

type Frame = Readonly<Record<string, unknown>>;

const decode = (frame: unknown) => decodeWorkerMessage(JSON.stringify(frame));
const refused = (reason: string, code = 'deserialization_error'): Undecodable => ({ kind: 'invalid', code, reason }) as Undecodable;

const ID = refused('id must be a string within bounds');
const TRIGGER_TYPE = refused('trigger_type must be a string within bounds', 'trigger_registration_failed');
const TRIGGER_FUNCTION = refused('function_id must be a string within bounds', 'trigger_registration_failed');
/** The parts of the frame that can be read. The answer to the registrant repeats them. */
const answerable = (refusal: Undecodable, unread: object = {}): Undecodable =>
  ({ ...refusal, trigger: { id: 't1', type: 'stream', functionId: 'chat::onMessage', ...unread } }) as Undecodable;
const TRIGGER_CONFIG = refused('config must be an object', 'trigger_registration_failed');

const NOT_TEXT: readonly unknown[] = [0, -1.5, true, false, [], ['a'], {}, { a: 'b' }];
const NO_NAMESPACE: readonly unknown[] = [...NOT_TEXT, '', ' ', '\n', 'x'.repeat(257), 'é'.repeat(129), '\ud800', 'a\u0000'];
const namespaceRefusal = (key: string) => refused(namespaceRule(key), 'INVALID_NAMESPACE');
const NOT_OBJECT: readonly unknown[] = [0, true, 'text', [], [{}]];
const TOO_LONG = 'x'.repeat(LIMITS.registryIdBytes + 1);

interface Kind {
  /** A frame with every key that the message may have. */
  readonly frame: Frame;
  /** The message that the frame becomes. */
  readonly message: WorkerMessage;
  /** The value for an absent or `null` key, and the types that are wrong. A key that is missing here may have any JSON value. */
  readonly keys: Readonly<Record<string, { readonly absent: unknown; readonly wrong?: readonly unknown[]; readonly whenWrong?: unknown }>>;
}

const text = (absent: unknown) => ({ absent, wrong: NOT_TEXT, whenWrong: absent });

const KINDS: readonly Kind[] = [
  {
    frame: {
      type: 'registerfunction',
      id: 'chat::send',
      description: 'Sends.',
      request_format: { type: 'object' },
      response_format: [1],
      metadata: { internal: true },
      invocation: { url: 'http://127.0.0.1/' },
    },
    message: {
      type: 'registerfunction',
      id: 'chat::send',
      description: 'Sends.',
      request_format: { type: 'object' },
      response_format: [1],
      metadata: { internal: true },
      invocation: { url: 'http://127.0.0.1/' },
    },
    keys: {
      id: text(ID),
      description: text(null),
      request_format: { absent: null },
      response_format: { absent: null },
      metadata: { absent: null },
      invocation: { absent: undefined },
    },
  },
  {
    frame: { type: 'unregisterfunction', id: 'chat::send' },
    message: { type: 'unregisterfunction', id: 'chat::send' },
    keys: { id: text(ID) },
  },
  {
    frame: {
      type: 'registertriggertype',
      id: 'webhook',
      description: 'Hooks.',
      trigger_request_format: { a: 1 },
      call_request_format: 'any',
    },
    message: {
      type: 'registertriggertype',
      id: 'webhook',
      description: 'Hooks.',
      trigger_request_format: { a: 1 },
      call_request_format: 'any',
    },
    keys: { id: text(ID), description: text(''), trigger_request_format: { absent: null }, call_request_format: { absent: null } },
  },
  {
    frame: { type: 'unregistertriggertype', id: 'webhook' },
    message: { type: 'unregistertriggertype', id: 'webhook' },
    keys: { id: text(ID) },
  },
  {
    frame: {
      type: 'registertrigger',
      id: 't1',
      trigger_type: 'stream',
      function_id: 'chat::onMessage',
      config: { stream_name: 'chat' },
      metadata: { k: 1 },
      namespace: 'tenant',
      trigger_namespace: 'other',
    },
    message: {
      type: 'registertrigger',
      id: 't1',
      trigger_type: 'stream',
      function_id: 'chat::onMessage',
      config: { stream_name: 'chat' },
      metadata: { k: 1 },
      namespace: 'tenant',
      trigger_namespace: 'other',
    },
    keys: {
      id: text(ID),
      trigger_type: text(answerable(TRIGGER_TYPE, { type: '' })),
      function_id: text(answerable(TRIGGER_FUNCTION, { functionId: '' })),
      config: { absent: {}, wrong: NOT_OBJECT, whenWrong: answerable(TRIGGER_CONFIG) },
      metadata: { absent: undefined },
      namespace: { absent: undefined, wrong: NO_NAMESPACE, whenWrong: answerable(namespaceRefusal('namespace')) },
      trigger_namespace: { absent: undefined, wrong: NO_NAMESPACE, whenWrong: answerable(namespaceRefusal('trigger_namespace')) },
    },
  },
  {
    frame: { type: 'unregistertrigger', id: 't1', trigger_type: 'stream' },
    message: { type: 'unregistertrigger', id: 't1', trigger_type: 'stream' },
    keys: { id: text(ID), trigger_type: text(undefined) },
  },
  {
    frame: {
      type: 'triggerregistrationresult',
      id: 't1',
      trigger_type: 'webhook',
      function_id: 'orders::hook',
      error: { code: 'bad_url', message: 'no host', stacktrace: 'at x' },
    },
    message: {
      type: 'triggerregistrationresult',
      id: 't1',
      trigger_type: 'webhook',
      function_id: 'orders::hook',
      error: { code: 'bad_url', message: 'no host', stacktrace: 'at x' },
    },
    keys: { id: text(ID), trigger_type: text(''), function_id: text(''), error: { absent: undefined } },
  },
  {
    frame: { type: 'registerservice', id: 's1', name: 'Orders', description: 'All of it.', parent_service_id: 's0' },
    message: { type: 'registerservice', id: 's1', name: 'Orders', description: 'All of it.', parent_service_id: 's0' },
    keys: { id: text(ID), name: text('s1'), description: text(null), parent_service_id: text(null) },
  },
  {
    frame: {
      type: 'invokefunction',
      function_id: 'chat::list',
      invocation_id: 'i1',
      data: { room: 'r1' },
      traceparent: '00-a',
      baggage: 'k=v',
      action: { type: 'void' },
      metadata: { tenant: 'acme' },
      namespace: 'default',
    },
    message: {
      type: 'invokefunction',
      invocation_id: 'i1',
      function_id: 'chat::list',
      data: { room: 'r1' },
      traceparent: '00-a',
      baggage: 'k=v',
      action: { type: 'void' },
      metadata: { tenant: 'acme' },
      namespace: 'default',
      inexactNumbers: false,
    },
    keys: {
      invocation_id: text(undefined),
      // WP-5: a void call gets no answer.
      function_id: text(refused('function_id must be a string')),
      data: { absent: null },
      traceparent: text(undefined),
      baggage: text(undefined),
      action: { absent: undefined },
      metadata: { absent: undefined },
      namespace: { absent: undefined, wrong: NO_NAMESPACE, whenWrong: namespaceRefusal('namespace') },
    },
  },
  {
    frame: {
      type: 'invocationresult',
      invocation_id: 'i1',
      function_id: 'chat::list',
      result: [1],
      error: { code: 'E', message: 'no' },
      traceparent: '00-a',
      baggage: 'k=v',
    },
    message: {
      type: 'invocationresult',
      invocation_id: 'i1',
      function_id: 'chat::list',
      result: [1],
      error: { code: 'E', message: 'no' },
      traceparent: '00-a',
      baggage: 'k=v',
    },
    keys: {
      invocation_id: text(undefined),
      function_id: text(''),
      result: { absent: undefined },
      error: { absent: undefined },
      traceparent: text(undefined),
      baggage: text(undefined),
    },
  },
  {
    frame: { type: 'reattach', previous_worker_id: 'w0', reattach_token: 'secret' },
    message: { type: 'reattach', previous_worker_id: 'w0', reattach_token: 'secret' },
    keys: { previous_worker_id: text(refused('previous_worker_id must be a string')), reattach_token: text(undefined) },
  },
  { frame: { type: 'ping' }, message: { type: 'ping' }, keys: {} },
  { frame: { type: 'pong' }, message: { type: 'pong' }, keys: {} },
];

/** The expected result. A refusal is the whole result. Any other value is the value of the key. */
function answerWith(kind: Kind, key: string, outcome: unknown): unknown {
  const isRefusal = typeof outcome === 'object' && outcome !== null && 'kind' in outcome;
  return isRefusal ? outcome : { kind: 'message', message: { ...kind.message, [key]: outcome } };
}

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

describe('what is no message', () => {
  const notJson = refused('not JSON');
  const bytes = (...parts: readonly (string | number)[]) =>
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part])))).toString();

  it.each(['', ' ', '\t\r\n', '\u00a0', '\ufeff'])('WP-2 blank text %j is ignored', (blank) => {
    expect(decodeWorkerMessage(blank)).toStrictEqual({ kind: 'ignored', reason: 'blank' });
  });

  it.each(['{', '}', '"', '{"type":"ping"', '{"type":"ping"}}', "{'type':'ping'}", '{"type":"ping",}', 'NaN', '\u0000', '\ufeff{}', '01'])(
    'WP-2 %j is refused as no JSON',
    (broken) => {
      expect(decodeWorkerMessage(broken)).toStrictEqual(notJson);
    },
  );

  it.each(['null', 'true', '0', '"ping"', '[]', '[{"type":"ping"}]'])('%s is refused as no object', (json) => {
    expect(decodeWorkerMessage(json)).toStrictEqual(refused('not a JSON object'));
  });

  it.each(['{}', '{"type":null}', '{"type":1}', '{"type":["ping"]}', '{"Type":"ping"}', '{"__proto__":{"type":"ping"}}'])(
    '%s is refused for want of a type',
    (json) => {
      expect(decodeWorkerMessage(json)).toStrictEqual(refused('no type'));
    },
  );

  it.each(['', 'PING', 'registrationrejected', 'constructor', '__proto__', 'hasOwnProperty', 'toString', 'workerregistered'])(
    'WP-2 the unknown type %j is ignored and named',
    (type) => {
      expect(decode({ type })).toStrictEqual({ kind: 'ignored', reason: 'unknown_type', type });
    },
  );

  it('names no more than 64 characters of an unknown type', () => {
    expect(decode({ type: 'z'.repeat(1_000_000) })).toStrictEqual({ kind: 'ignored', reason: 'unknown_type', type: 'z'.repeat(64) });
  });

  it('WP-2 bytes that are no UTF-8 are refused outside of strings and replaced inside', () => {
    expect(decodeWorkerMessage(bytes(0xff, 0xfe, 0xfd))).toStrictEqual(notJson);
    expect(decodeWorkerMessage(bytes('{"type":"ping"', 0xc3, '}'))).toStrictEqual(notJson);
    expect(decodeWorkerMessage(bytes('{"type":"unregisterfunction","id":"a', 0xff, '"}'))).toStrictEqual({
      kind: 'message',
      message: { type: 'unregisterfunction', id: 'a\ufffd' },
    });
  });

  it('is refused before it is parsed when nested deeper than the limit', () => {
    const nested = (levels: number) =>
      `{"type":"invokefunction","function_id":"f","data":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    expect(decodeWorkerMessage(nested(LIMITS.jsonDepth)).kind).toBe('message');
    expect(decodeWorkerMessage(nested(LIMITS.jsonDepth + 1))).toStrictEqual(refused('nested deeper than 64 levels'));
    expect(decodeWorkerMessage('['.repeat(1_000_000))).toStrictEqual(refused('nested deeper than 64 levels'));
    expect(decodeWorkerMessage('{"a":'.repeat(100_000))).toStrictEqual(refused('nested deeper than 64 levels'));
  });

  it('is refused before it is parsed when it has more values than the limit', () => {
    // The object, its type, its function id and the array are values too.
    const values = (count: number) => ({ type: 'invokefunction', function_id: 'f', data: Array.from({ length: count - 4 }, () => 0) });
    expect(decode(values(LIMITS.jsonNodes)).kind).toBe('message');
    expect(decode(values(LIMITS.jsonNodes + 1))).toStrictEqual(refused('more than 100000 values'));
  });
});

describe('an invocation', () => {
  const inexact = (data: string) => {
    const decoded = decodeWorkerMessage(`{"type":"invokefunction","function_id":"f","data":${data}}`);
    return decoded.kind === 'message' && decoded.message.type === 'invokefunction' ? decoded.message.inexactNumbers : decoded;
  };

  it('tells when its frame holds a number that a double cannot carry', () => {
    expect(['9007199254740991', '[-9007199254740991]', '1.5', '1e308', '"9007199254740993"'].map(inexact)).toEqual(
      Array.from({ length: 5 }, () => false),
    );
    expect(['9007199254740992', '{"a":-9007199254740993}', '1e309', '[1,[-1e999]]'].map(inexact)).toEqual(
      Array.from({ length: 4 }, () => true),
    );
  });

  it('WP-3 without data carries null', () => {
    expect(decode({ type: 'invokefunction', function_id: 'f' })).toMatchObject({ message: { data: null } });
  });

  it('keeps keys of its data that name prototypes as plain keys', () => {
    const data = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
    const decoded = decodeWorkerMessage(`{"type":"invokefunction","function_id":"f","data":${data}}`);
    expect(decoded.kind === 'message' && decoded.message.type === 'invokefunction' && JSON.stringify(decoded.message.data)).toBe(data);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('properties', () => {
  const anyString = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 200 }).map((data) => Buffer.from(data).toString()),
  );
  const types = KINDS.map(({ message }) => message.type);
  const keys = [...new Set(KINDS.flatMap(({ frame }) => Object.keys(frame)))].filter((key) => key !== 'type');
  const anyFrame = fc.record(
    {
      type: fc.oneof({ weight: 9, arbitrary: fc.constantFrom<unknown>(...types) }, { weight: 1, arbitrary: fc.jsonValue() }),
      ...Object.fromEntries(keys.map((key) => [key, fc.oneof(fc.constant('id'), fc.constant(TOO_LONG), fc.jsonValue())])),
    },
    { requiredKeys: [] },
  );

  /** Returns whether a result keeps the promises that hold for any input. */
  function answers(frame: string): boolean {
    const decoded = decodeWorkerMessage(frame);
    switch (decoded.kind) {
      case 'invalid':
        return decoded.code in ERROR_CODES && isRegistryId(decoded.invocationId ?? '') && isRegistryId(decoded.functionId ?? '');
      case 'ignored':
        return (decoded.type ?? '').length <= 64;
      case 'message':
        return types.includes(decoded.message.type) && (!('id' in decoded.message) || isRegistryId(decoded.message.id));
      default:
        return decoded satisfies never;
    }
  }

  it('any bytes get an answer within bounds', () => {
    fc.assert(fc.property(anyString, answers), { numRuns: 500 });
  });

  it('a lawful frame with any bytes put in its place gets an answer within bounds', () => {
    const frames = KINDS.map(({ frame }) => JSON.stringify(frame));
    const damaged = fc.tuple(
      fc.constantFrom(...frames),
      fc.nat(),
      fc.nat(8),
      fc.oneof(anyString, fc.constantFrom('"', '\\', '{', '[', '-', 'e')),
    );
    fc.assert(
      fc.property(damaged, ([frame, place, removed, added]) => {
        const at = place % frame.length;
        return answers(frame.slice(0, at) + added + frame.slice(at + removed));
      }),
      { numRuns: 1_000 },
    );
  });

  it('any JSON value gets an answer within bounds', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), anyFrame), (value) => answers(JSON.stringify(value))),
      { numRuns: 1_000 },
    );
  });
});

describe('what the engine encodes', () => {
  const id = fc.string({ unit: 'binary', maxLength: 64 });
  const optional = fc.option(id, { nil: undefined });
  const json = fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value)));
  const fields = fc.dictionary(id, json).map((value): Frame => JSON.parse(JSON.stringify(value)));
  const error = fc.record({ code: id, message: id, stacktrace: id }, { requiredKeys: ['code', 'message'] });
  const reads = (frame: string, message: unknown) => expect(decodeWorkerMessage(frame)).toEqual({ kind: 'message', message });

  it('as an invocation is read back field by field', () => {
    const frame = fc.record({ invocationId: id, functionId: id, metadata: json, traceparent: optional, baggage: optional });
    fc.assert(
      fc.property(frame, json, (invoke, data) => {
        reads(encodeInvoke({ ...invoke, data: JSON.stringify(data) }), {
          type: 'invokefunction',
          invocation_id: invoke.invocationId,
          function_id: invoke.functionId,
          data,
          metadata: invoke.metadata ?? undefined,
          traceparent: invoke.traceparent,
          baggage: invoke.baggage,
          action: undefined,
          namespace: undefined,
          inexactNumbers: expect.any(Boolean),
        });
      }),
    );
  });

  it('as a result or an error is read back field by field; a null result as none', () => {
    const frame = fc.record({ invocationId: id, functionId: id, traceparent: optional, baggage: optional });
    fc.assert(
      fc.property(frame, fc.option(json, { nil: undefined }), error, (head, result, failed) => {
        const common = {
          type: 'invocationresult',
          invocation_id: head.invocationId,
          function_id: head.functionId,
          traceparent: head.traceparent,
          baggage: head.baggage,
        };
        const encoded = encodeResult(head, result === undefined ? undefined : JSON.stringify(result));
        reads(encoded, { ...common, result: result ?? undefined, error: undefined });
        reads(encodeError(head, failed), { ...common, result: undefined, error: failed });
      }),
    );
  });

  it('as a binding for a provider is read back field by field', () => {
    const binding = fc.record({ id, type: id, functionId: id, config: fields, metadata: fc.option(json, { nil: undefined }) });
    fc.assert(
      fc.property(binding, (each) => {
        const { functionId: function_id, type: trigger_type, config } = each;
        const read = { id: each.id, trigger_type, function_id, config, metadata: each.metadata ?? undefined };
        reads(encodeRegisterTrigger(each), { type: 'registertrigger', ...read });
        reads(encodeUnregisterTrigger(each), { type: 'unregistertrigger', id: each.id, trigger_type });
      }),
    );
  });

  it('as the error of a binding is read back field by field', () => {
    fc.assert(
      fc.property(id, id, id, error, (binding, type, functionId, failed) => {
        const message = { type: 'triggerregistrationresult', id: binding, trigger_type: type, function_id: functionId, error: failed };
        reads(encodeTriggerResult(binding, type, functionId, failed), message);
      }),
    );
  });

  it('as a pong is a pong, and as a greeting is nothing that a worker may say', () => {
    reads(PONG_TEXT, { type: 'pong' });
    expect(decodeWorkerMessage(encodeWorkerRegistered('w1', 'token'))).toMatchObject({ kind: 'ignored', type: 'workerregistered' });
  });
});
