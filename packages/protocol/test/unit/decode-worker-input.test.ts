import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWorkerMessage } from '../../src/decode/decode-worker.js';
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
import { isRegistryId } from '../../src/json/json-fields.js';
import { LIMITS } from '../../src/limits.js';
import { decode, type Frame, KINDS, refused, TOO_LONG } from '../worker-kinds.js';

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
