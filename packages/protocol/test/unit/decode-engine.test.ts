import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEngineMessage } from '../../src/decode/decode-engine.js';
import {
  encodeError,
  encodeInvoke,
  encodeRegisterTrigger,
  encodeResult,
  encodeUnregisterTrigger,
  encodeWorkerRegistered,
} from '../../src/encode/encode-worker.js';

const decode = (frame: unknown) => decodeEngineMessage(JSON.stringify(frame));

describe('decodeEngineMessage', () => {
  it('reads what the engine writes', () => {
    const binding = { id: 't', type: 'hook', functionId: 'f', config: { a: 1 }, metadata: { m: 1 } };
    const bound = { id: 't', trigger_type: 'hook', function_id: 'f', config: { a: 1 }, metadata: { m: 1 } };
    const cases: [string, object][] = [
      [encodeWorkerRegistered('w', 't'), { type: 'workerregistered', worker_id: 'w', reattach_token: 't' }],
      [
        encodeInvoke({ invocationId: 'i', functionId: 'f', data: '{"a":1}', metadata: 2, traceparent: 'tp' }),
        {
          type: 'invokefunction',
          invocation_id: 'i',
          function_id: 'f',
          data: { a: 1 },
          metadata: 2,
          traceparent: 'tp',
          baggage: undefined,
        },
      ],
      [
        encodeResult({ invocationId: 'i', functionId: 'f' }, 'null'),
        { type: 'invocationresult', invocation_id: 'i', function_id: 'f', result: null, error: undefined },
      ],
      [
        encodeError({ invocationId: 'i', functionId: 'f' }, { code: 'c', message: 'm', stacktrace: 's' }),
        {
          type: 'invocationresult',
          invocation_id: 'i',
          function_id: 'f',
          result: undefined,
          error: { code: 'c', message: 'm', stacktrace: 's' },
        },
      ],
      [encodeRegisterTrigger(binding), { type: 'registertrigger', ...bound }],
      [encodeUnregisterTrigger(binding), { type: 'unregistertrigger', ...bound }],
    ];
    for (const [text, message] of cases) expect(decodeEngineMessage(text)).toEqual({ kind: 'message', message });
  });

  it('reads a refusal whatever its error is', () => {
    expect(decode({ type: 'error', error: 5 })).toMatchObject({ message: { error: { code: 'UNKNOWN', message: '5' } } });
    expect(decode({ type: 'error' })).toMatchObject({ message: { error: { code: 'UNKNOWN' } } });
    expect(decode({ type: 'registrationrejected', code: 'X', function_id: 'f' })).toMatchObject({ message: { error: { code: 'X' } } });
  });

  it.each([
    ['', 'ignored'],
    [' ', 'ignored'],
    ['{"type":"novelty"}', 'ignored'],
    ['{', 'invalid'],
    ['[]', 'invalid'],
    ['{}', 'invalid'],
    ['{"type":"invokefunction","function_id":5}', 'invalid'],
    ['{"type":"invocationresult"}', 'invalid'],
    ['{"type":"registertrigger","id":"t"}', 'invalid'],
    ['{"type":"unregistertrigger","id":"t"}', 'invalid'],
    ['{"type":"workerregistered"}', 'invalid'],
    [`{"type":"ping","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'invalid'],
  ])('takes %.40s as %s', (text, kind) => {
    expect(decodeEngineMessage(text).kind).toBe(kind);
  });

  it('answers for any JSON of any type', () => {
    const types = [
      'workerregistered',
      'invokefunction',
      'invocationresult',
      'registertrigger',
      'unregistertrigger',
      'triggerregistrationresult',
      'error',
      'registrationrejected',
      '__proto__',
    ];
    const keys = ['id', 'invocation_id', 'function_id', 'trigger_type', 'config', 'error', 'worker_id', 'data'];
    const frames = fc.record({ type: fc.constantFrom(...types), rest: fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()) });
    fc.assert(
      fc.property(frames, ({ type, rest }) => {
        expect(['message', 'ignored', 'invalid']).toContain(decode({ ...rest, type }).kind);
      }),
    );
  });
});
