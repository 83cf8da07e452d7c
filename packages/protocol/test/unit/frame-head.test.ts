import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWorkerMessage } from '../../src/decode/decode-worker.js';
import { readFrameHead } from '../../src/decode/frame-head.js';
import { LIMITS } from '../../src/limits.js';

const KEYS = new Set(['type', 'id', 'action']);
const head = (text: string) => ({ ...readFrameHead(text, KEYS) });
const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const DEEP = deep(LIMITS.jsonDepth + 1);
const REASON = `nested deeper than ${LIMITS.jsonDepth} levels`;

describe('the head of a frame that is not parsed', () => {
  it('is the same as that of the parsed frame, for any JSON object', () => {
    const values = fc.dictionary(fc.oneof(fc.constantFrom(...KEYS), fc.string()), fc.jsonValue());
    fc.assert(
      fc.property(values, fc.constantFrom(undefined, 2), (frame, space) => {
        const wanted = Object.fromEntries(Object.entries(frame).filter(([key]) => KEYS.has(key)));
        expect(head(JSON.stringify(frame, null, space))).toEqual(JSON.parse(JSON.stringify(wanted)));
      }),
    );
  });

  it('is total', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[{}[\],:"\\ti7 ]*$/), (text) => {
        readFrameHead(text, KEYS);
      }),
    );
  });

  it('holds nothing nested, the last of a key that is repeated, and keys however they are escaped', () => {
    expect(head(`{"data":{"id":"nested","type":"x"},"list":[{"id":"nested"},"id","nested"],"text":"\\"id\\":\\"nested\\""}`)).toEqual({});
    expect(head(`{"id":"a","x":${DEEP},"id":"b"}`)).toEqual({ id: 'b' });
    expect(head(`{"t\\u0079pe":"a\\"}"}`)).toEqual({ type: 'a"}' });
  });

  it('is empty for what is not one whole object', () => {
    for (const text of ['', '[', '{"id":"a"', '{"id":"a"}]', '{"id":"a"}{}', '["id","a"]', '{"id":"a', '"id"', '{"id":"a","b":[}']) {
      expect([text, head(text)]).toEqual([text, {}]);
    }
  });

  it('leaves out values beyond its bound', () => {
    expect(head(`{"type":"a","id":"${'x'.repeat(1_000_000)}"}`)).toEqual({ type: 'a', id: undefined });
  });
});

describe('a frame of a worker that is refused before it is parsed', () => {
  it('says whom to answer', () => {
    const call = `"invocation_id":"i","function_id":"f"`;
    expect(decodeWorkerMessage(`{"type":"invokefunction",${call},"data":${DEEP}}`)).toEqual({
      kind: 'invalid',
      code: 'deserialization_error',
      reason: REASON,
      invocationId: 'i',
      functionId: 'f',
    });
    expect(decodeWorkerMessage(`{"result":${DEEP},${call},"type":"invocationresult"}`)).toMatchObject({ answerTo: 'i', reason: REASON });
    expect(decodeWorkerMessage(`{"result":[NaN],${call},"type":"invocationresult"}`)).toMatchObject({ answerTo: 'i', reason: 'not JSON' });
    const trigger = `"id":"t","trigger_type":"stream","function_id":"f"`;
    expect(decodeWorkerMessage(`{"type":"registertrigger",${trigger},"config":{"a":${DEEP}}}`)).toMatchObject({
      code: 'trigger_registration_failed',
      reason: REASON,
      trigger: { id: 't', type: 'stream', functionId: 'f' },
    });
  });

  it('names nobody when only something nested does, or when an id is no string or too long', () => {
    const bare = { kind: 'invalid', code: 'deserialization_error', reason: REASON };
    const inner = `{"type":"invokefunction","invocation_id":"i","function_id":"f"}`;
    expect(decodeWorkerMessage(`{"data":[${inner},${DEEP}]}`)).toEqual(bare);
    expect(decodeWorkerMessage(`{"type":"invocationresult","result":[${inner},${DEEP}]}`)).toEqual(bare);
    expect(decodeWorkerMessage(`{"type":"invocationresult","invocation_id":7,"result":${DEEP}}`)).toEqual(bare);
    const long = 'x'.repeat(LIMITS.registryIdBytes + 1);
    expect(decodeWorkerMessage(`{"type":"invokefunction","invocation_id":"${long}","data":${DEEP}}`)).toEqual(bare);
  });

  it('WP-5 names no caller of a void call', () => {
    const frames = [
      `{"type":"invokefunction","invocation_id":"i","function_id":"f","action":{"type":"void"},"data":${DEEP}}`,
      `{"type":"invokefunction","invocation_id":"i","function_id":7,"action":{"type":"void"}}`,
      `{"type":"invokefunction","invocation_id":"i","function_id":"${'x'.repeat(2_000)}","action":{"type":"void"}}`,
    ];
    for (const frame of frames) {
      const decoded = decodeWorkerMessage(frame);
      expect([decoded.kind, Object.hasOwn(decoded, 'invocationId')]).toEqual(['invalid', false]);
    }
  });
});
