import { expect, it } from 'vitest';
import { FunctionFabric } from '../../src/core/fabric/function-fabric.js';
import type { Registration } from '../../src/core/fabric/function-registry.js';
import { type Call, failure, JsonPayload, type Outcome } from '../../src/core/fabric/invocation.js';
import type { Span, SpanEnd, SpanSubject, TraceHeaders, Tracing } from '../../src/core/fabric/tracing.js';
import { silentLogger } from '../../src/logging/logger.js';

const RESULT: Outcome = { kind: 'result', text: '1' };

/** A tracing that keeps its spans, and a fabric with a function of a trusted worker and one of a guest, which answer with this outcome. */
function start(outcome: Outcome | 'never' = RESULT) {
  const spans: { subject: SpanSubject; parent: Span | TraceHeaders | undefined; ends: SpanEnd[] }[] = [];
  const begin = (subject: SpanSubject, parent?: Span | TraceHeaders): Span => {
    const kept = { subject, parent, ends: [] as SpanEnd[] };
    spans.push(kept);
    const span: Span = {
      traceparent: `span ${spans.length}`,
      begin: (child) => begin(child, span),
      setRoute: () => {},
      committed: () => {},
      end: (end) => void kept.ends.push(end),
    };
    return span;
  };
  const tracing: Tracing = { begin, writeOf: async () => undefined, flush: async () => {} };
  const fabric = new FunctionFabric(silentLogger, undefined, false, tracing);
  const calls: Call[] = [];
  const owner = {
    workerId: 'w',
    dispatch: (call: Call, done: (outcome: Outcome) => void) => {
      calls.push(call);
      if (outcome !== 'never') done(outcome);
      return { cancel: () => {} };
    },
    displaced: () => {},
  };
  const registration: Omit<Registration, 'id' | 'guest'> = {
    namespace: 'default',
    owner,
    description: null,
    requestFormat: null,
    responseFormat: null,
    metadata: null,
    httpInvoked: false,
    mayDecide: true,
  };
  fabric.functions.register({ ...registration, id: 'app::trusted', guest: false });
  fabric.functions.register({ ...registration, id: 'app::guest', guest: true });
  return { fabric, spans, calls };
}

const callOf = (functionId: string): Call => ({ functionId, payload: JsonPayload.ofValue(null), traceparent: 'of the caller' });

it('only a function of the engine or of a trusted worker is one after which a span is named', () => {
  const { fabric, spans } = start();
  fabric.registerBuiltin('engine::test', () => RESULT, 'A test.');
  for (const id of ['app::trusted', 'engine::test', 'app::guest', 'app::missing']) fabric.invoke(callOf(id), () => {});
  expect(spans.map(({ subject }) => subject.kind === 'call' && subject.isTrusted)).toEqual([true, true, false, false]);
});

it('a call has the context of its caller as parent, and its worker gets the span of the call', () => {
  const { fabric, spans, calls } = start();
  fabric.invoke(callOf('app::trusted'), () => {});
  expect(spans[0]?.parent).toMatchObject({ traceparent: 'of the caller' });
  expect(calls[0]?.span?.traceparent).toBe('span 1');
});

it.each([
  [RESULT, { outcome: 'ok' }],
  [failure('OVERLOADED', 'secret'), { outcome: 'error', code: 'OVERLOADED' }],
] as const)('the span of a call ends with its outcome (%j), before the caller gets the answer', (outcome, end) => {
  const { fabric, spans } = start(outcome);
  const seen: unknown[] = [];
  fabric.invoke(callOf('app::trusted'), () => seen.push(...(spans[0]?.ends ?? [])));
  expect(seen).toEqual([end]);
});

it('the span of a cancelled call ends', () => {
  const { fabric, spans } = start('never');
  fabric.invoke(callOf('app::trusted'), () => {}).cancel();
  expect(spans[0]?.ends).toEqual([{ outcome: 'cancelled' }]);
});

it('a firing has a span around the calls of its condition and its function, and an end for each outcome', async () => {
  const { fabric, spans } = start();
  const binding = { id: 't', type: 'stream', functionId: 'app::trusted', config: {}, metadata: undefined, workerId: undefined };
  await fabric.fire({ ...binding, config: { condition_function_id: 'app::guest' } }, JsonPayload.ofValue(1));
  expect(spans.map(({ subject }) => subject.kind)).toEqual(['trigger', 'call', 'call']);
  expect(spans.slice(1).map(({ parent }) => parent?.traceparent)).toEqual(['span 1', 'span 1']);
  expect(spans[0]?.ends).toEqual([{ outcome: 'ok' }]);
  await fabric.fire({ ...binding, config: { condition_function_id: 'app::missing' } }, JsonPayload.ofValue(1));
  expect(spans[3]?.ends).toEqual([{ outcome: 'skipped' }]);
  await fabric.fire({ ...binding, functionId: 'app::missing' }, JsonPayload.ofValue(1));
  expect(spans[5]?.ends).toEqual([{ outcome: 'error', code: 'function_not_found' }]);
});

it('without tracing, a handler gets the very call of the caller', () => {
  const fabric = new FunctionFabric(silentLogger);
  const seen: Call[] = [];
  fabric.registerBuiltin(
    'engine::test',
    (call) => {
      seen.push(call);
      return RESULT;
    },
    'A test.',
  );
  const call = callOf('engine::test');
  fabric.invoke(call, () => {});
  expect(seen[0]).toBe(call);
});
