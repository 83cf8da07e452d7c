import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeChange,
  encodeEvent,
  encodeGroupSyncHead,
  encodeGroupSyncTail,
  encodeItemSync,
  encodeUnauthorized,
} from '../../src/encode/encode-stream.js';
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
import type { JsonText } from '../../src/json/json-text.js';

const FRAME = { timestamp: 1700000000123, streamName: 'chat', groupId: 'room-1', id: 'm1', offset: 8 };
const HEAD = '{"type":"stream","timestamp":1700000000123,"streamName":"chat","groupId":"room-1","id":"m1","event":';
const GROUP_HEAD = '{"type":"stream","timestamp":1700000000123,"streamName":"chat","groupId":"room-1","id":null,"event":';
const MESSAGE: JsonText = '{"id":"m1","text":"hi!"}';

describe('a frame for stream clients', () => {
  it.each(['create', 'update', 'delete'] as const)('ST-3 RV-1 of a %s has the keys of the protocol, then its offset', (effect) => {
    expect(encodeChange(FRAME, effect, MESSAGE)).toBe(`${HEAD}{"type":"${effect}","data":{"id":"m1","text":"hi!"}},"offset":8}`);
  });

  it('RV-7 of a compacted history says when the item was created', () => {
    const data = '{"type":"update","data":{"id":"m1","text":"hi!"}}';
    expect(encodeChange({ ...FRAME, created: 3 }, 'update', MESSAGE)).toBe(`${HEAD}${data},"created":3,"offset":8}`);
  });

  it('ST-3 of an event carries its type and data one level deeper', () => {
    const typing = '{"type":"event","event":{"type":"typing","data":{"user":"ann"}}}';
    expect(encodeEvent(FRAME, 'typing', '{"user":"ann"}')).toBe(`${HEAD}${typing},"offset":8}`);
    // The change of a batch has `through` after all other members.
    expect(encodeChange({ ...FRAME, through: 9 }, 'update', '1')).toBe(`${HEAD}{"type":"update","data":1},"offset":8,"through":9}`);
    expect(encodeEvent({ ...FRAME, through: 9 }, 't', '1')).toBe(
      `${HEAD}{"type":"event","event":{"type":"t","data":1}},"offset":8,"through":9}`,
    );
    expect(encodeEvent({ ...FRAME, id: undefined }, 'message', 'null')).toBe(
      `${GROUP_HEAD}{"type":"event","event":{"type":"message","data":null}},"offset":8}`,
    );
  });

  it('ST-4 RV-2 of an item snapshot carries the value and its creation, or null', () => {
    const frame = { ...FRAME, epoch: 'e' };
    expect(encodeItemSync(frame, MESSAGE, 3)).toBe(
      `${HEAD}{"type":"sync","data":{"id":"m1","text":"hi!"}},"created":3,"offset":8,"epoch":"e"}`,
    );
    expect(encodeItemSync({ ...frame, reason: 'epoch' }, 'null', undefined)).toBe(
      `${HEAD}{"type":"sync","data":null},"offset":8,"epoch":"e","reason":"epoch"}`,
    );
  });

  it('ST-3 RV-2 RV-11 of a group snapshot has a null id, an array, and what stands beside it', () => {
    const head = encodeGroupSyncHead(1700000000123, 'chat', 'room-1');
    const position = { offset: 8, epoch: 'e' };
    expect(head + encodeGroupSyncTail(position, undefined)).toBe(`${GROUP_HEAD}{"type":"sync","data":[]},"offset":8,"epoch":"e"}`);
    const columns = { ids: '"a","b"', created: '1,2' };
    expect(`${head}1,2${encodeGroupSyncTail(position, columns)}`).toBe(
      `${GROUP_HEAD}{"type":"sync","data":[1,2]},"ids":["a","b"],"created":[1,2],"offset":8,"epoch":"e"}`,
    );
    expect(`${head}1,2${encodeGroupSyncTail({ ...position, reason: 'floor' }, columns, { part: 0, last: false })}`).toBe(
      `${GROUP_HEAD}{"type":"sync","data":[1,2]},"ids":["a","b"],"created":[1,2],"part":0,"last":false,"offset":8,"epoch":"e","reason":"floor"}`,
    );
  });

  it('ST-12 of a refused join has a null id and no data', () => {
    expect(encodeUnauthorized(1700000000123, 'chat', 'room-1')).toBe(`${GROUP_HEAD}{"type":"unauthorized"}}`);
  });

  it('carries an id that is the empty string as that, not as null', () => {
    expect(encodeChange({ ...FRAME, id: '' }, 'create', '1')).toContain('"id":"","event"');
  });

  it('carries data as the very text that it was given', () => {
    expect(encodeChange(FRAME, 'update', '{"1.0":1.0,"a":"\\u0041"}')).toBe(
      `${HEAD}{"type":"update","data":{"1.0":1.0,"a":"\\u0041"}},"offset":8}`,
    );
  });

  it('ST-22 is byte for byte what JSON.stringify writes, whatever names and values hold', () => {
    const name = fc.string({ unit: 'binary', maxLength: 20 });
    const frames = fc.record({
      timestamp: fc.maxSafeNat(),
      streamName: name,
      groupId: name,
      id: fc.option(name, { nil: undefined }),
      offset: fc.maxSafeNat(),
      epoch: name,
    });
    fc.assert(
      fc.property(frames, fc.array(fc.jsonValue(), { minLength: 1 }), name, (frame, values, type) => {
        const { timestamp, streamName, groupId, offset, epoch } = frame;
        const [data] = values;
        const text = JSON.stringify(data);
        const whole = (id: string | null, event: unknown, more: object = {}) =>
          JSON.stringify({ type: 'stream', timestamp, streamName, groupId, id, event, ...more });
        const id = frame.id ?? null;
        expect(encodeChange(frame, 'create', text)).toBe(whole(id, { type: 'create', data }, { offset }));
        expect(encodeEvent(frame, type, text)).toBe(whole(id, { type: 'event', event: { type, data } }, { offset }));
        expect(encodeItemSync(frame, text, 1)).toBe(whole(id, { type: 'sync', data }, { created: 1, offset, epoch }));
        expect(encodeUnauthorized(timestamp, streamName, groupId)).toBe(whole(null, { type: 'unauthorized' }));
        const parts = values.map((value) => JSON.stringify(value)).join(',');
        const sync = encodeGroupSyncHead(timestamp, streamName, groupId) + parts + encodeGroupSyncTail(frame, undefined);
        expect(sync).toBe(whole(null, { type: 'sync', data: values }, { offset, epoch }));
      }),
      { numRuns: 300 },
    );
  });
});

describe('a frame for workers', () => {
  const CALL = { invocationId: 'i1', functionId: 'chat::list' };
  const TRACE = { traceparent: '00-a-b-01', baggage: 'k=v' };
  const BINDING = { id: 't1', type: 'webhook', functionId: 'orders::hook', config: { path: '/x' }, metadata: { k: 1 } };
  const ERROR = { code: 'invocation_failed', message: 'boom "x"', stacktrace: 'at y' };

  it('WP-1 that greets has worker_id and reattach_token', () => {
    expect(encodeWorkerRegistered('w1', 'r1')).toBe('{"type":"workerregistered","worker_id":"w1","reattach_token":"r1"}');
  });

  it('that invokes always has data, and the optional keys only when they are given', () => {
    const start = '{"type":"invokefunction","invocation_id":"i1","function_id":"chat::list","data":';
    expect(encodeInvoke({ ...CALL, data: 'null' })).toBe(`${start}null}`);
    expect(encodeInvoke({ ...CALL, data: '1', metadata: null, traceparent: undefined, baggage: undefined })).toBe(`${start}1}`);
    expect(encodeInvoke({ ...CALL, data: '{"a":1}', metadata: { tenant: 'acme' }, ...TRACE })).toBe(
      `${start}{"a":1},"traceparent":"00-a-b-01","baggage":"k=v","metadata":{"tenant":"acme"}}`,
    );
    expect([false, 0, ''].map((metadata) => encodeInvoke({ ...CALL, data: '1', metadata }))).toEqual(
      ['false', '0', '""'].map((text) => `${start}1,"metadata":${text}}`),
    );
  });

  it('WP-4 that answers has result or none, and the trace last', () => {
    const start = '{"type":"invocationresult","invocation_id":"i1","function_id":"chat::list"';
    expect(encodeResult(CALL, undefined)).toBe(`${start}}`);
    expect(encodeResult(CALL, 'null')).toBe(`${start},"result":null}`);
    expect(encodeResult({ ...CALL, ...TRACE }, '[1]')).toBe(`${start},"result":[1],"traceparent":"00-a-b-01","baggage":"k=v"}`);
    expect(encodeResult({ ...CALL, baggage: '' }, undefined)).toBe(`${start},"baggage":""}`);
  });

  it('WP-4 that answers with an error has code and message, and a stacktrace only when there is one', () => {
    const start = '{"type":"invocationresult","invocation_id":"i1","function_id":"chat::list","error":';
    expect(encodeError({ ...CALL, ...TRACE }, ERROR)).toBe(
      `${start}{"code":"invocation_failed","message":"boom \\"x\\"","stacktrace":"at y"},"traceparent":"00-a-b-01","baggage":"k=v"}`,
    );
    expect(encodeError(CALL, { code: 'E', message: '' })).toBe(`${start}{"code":"E","message":""}}`);
  });

  it('WP-16 that tells a provider of a binding has its config, and metadata only when there is some', () => {
    const rest = '"id":"t1","trigger_type":"webhook","function_id":"orders::hook","config":{"path":"/x"}';
    expect(encodeRegisterTrigger(BINDING)).toBe(`{"type":"registertrigger",${rest},"metadata":{"k":1}}`);
    expect(encodeUnregisterTrigger(BINDING)).toBe(`{"type":"unregistertrigger",${rest},"metadata":{"k":1}}`);
    expect(encodeRegisterTrigger({ ...BINDING, metadata: undefined })).toBe(`{"type":"registertrigger",${rest}}`);
  });

  it('WP-16 that tells a registrant of a failure names the binding', () => {
    expect(encodeTriggerResult('t1', 'webhook', 'orders::hook', { code: 'bad_url', message: 'no host' })).toBe(
      '{"type":"triggerregistrationresult","id":"t1","trigger_type":"webhook","function_id":"orders::hook","error":{"code":"bad_url","message":"no host"}}',
    );
  });

  it('that answers a ping is a pong', () => {
    expect(PONG_TEXT).toBe('{"type":"pong"}');
  });

  it('is byte for byte what JSON.stringify writes, whatever ids and values hold', () => {
    const id = fc.string({ unit: 'binary', maxLength: 20 });
    const head = fc.record({ invocationId: id, functionId: id, traceparent: id, baggage: id });
    fc.assert(
      fc.property(head, fc.jsonValue(), fc.jsonValue(), (frame, data, metadata) => {
        const { traceparent, baggage } = frame;
        const ids = { invocation_id: frame.invocationId, function_id: frame.functionId };
        const meta = metadata === null ? {} : { metadata };
        expect(encodeInvoke({ ...frame, data: JSON.stringify(data), metadata })).toBe(
          JSON.stringify({ type: 'invokefunction', ...ids, data, traceparent, baggage, ...meta }),
        );
        expect(encodeResult(frame, JSON.stringify(data))).toBe(
          JSON.stringify({ type: 'invocationresult', ...ids, result: data, traceparent, baggage }),
        );
      }),
    );
  });
});
