import { ROOT_CONTEXT, type Span as SdkSpan, trace } from '@opentelemetry/api';
import { LIMITS } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { SpanSubject } from '../../src/core/fabric/tracing.js';
import type { LogFields, Logger } from '../../src/logging/logger.js';
import { silentLogger } from '../../src/logging/logger.js';
import { OtelTracing, type Sdk } from '../../src/tracing/otel-tracing.js';

const SUBJECT: SpanSubject = { kind: 'write', operation: 'stream.set', stream: 'chat', changes: 1 };
const COMMIT = { stream: 'chat', group: 'room-1', position: { epoch: 'e', offset: 7 } };
const HEADERS = { traceparent: '00-a-b-01', baggage: 'k=v' };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An SDK that fails in some of its methods, and the warnings that the engine logs. */
function start(faults: { readonly [Method in 'startSpan' | 'extract' | 'inject' | 'setAttribute' | 'end' | 'flush']?: () => never } = {}) {
  const warnings: (LogFields | undefined)[] = [];
  const ended: string[] = [];
  const begun: { readonly name: string; readonly isChild: boolean }[] = [];
  const logger: Logger = { ...silentLogger, warn: (_event, fields) => void warnings.push(fields) };
  const spanOf = (name: string) =>
    ({
      setAttribute: faults.setAttribute ?? (() => {}),
      setStatus: () => {},
      end: faults.end ?? (() => void ended.push(name)),
    }) as unknown as SdkSpan;
  const sdk: Sdk = {
    tracer: {
      startSpan: (name, _options, context = ROOT_CONTEXT) => {
        begun.push({ name, isChild: trace.getSpan(context) !== undefined });
        return faults.startSpan?.() ?? spanOf(name);
      },
      startActiveSpan: () => {
        throw new Error('the engine has no active spans');
      },
    },
    propagation: {
      extract: (context) => faults.extract?.() ?? trace.setSpan(context, spanOf('remote')),
      inject: (_context, carrier) => {
        faults.inject?.();
        Object.assign(carrier as object, { traceparent: '00-c-d-01' });
      },
    },
    flush: faults.flush ?? (async () => {}),
  };
  return { tracing: new OtelTracing(sdk, logger), warnings, ended, begun };
}

const fails = () => {
  throw new Error('the SDK fails');
};

it('continues the context of a caller, and gives a child the context of its parent', () => {
  const { tracing, begun, ended } = start();
  tracing.begin(SUBJECT);
  const span = tracing.begin(SUBJECT, HEADERS);
  expect(span.traceparent).toBe('00-c-d-01');
  span.begin(SUBJECT).end({ outcome: 'ok' });
  span.end({ outcome: 'error', code: 'STORE_FULL' });
  span.end({ outcome: 'ok' });
  expect(begun.map(({ isChild }) => isChild)).toEqual([false, true, true]);
  expect(ended).toEqual(['stream.set', 'stream.set']);
});

it.each(['startSpan', 'extract', 'inject', 'setAttribute', 'end'] as const)('an SDK that throws in %s costs spans only', (method) => {
  const { tracing, warnings, ended } = start({ [method]: fails });
  for (let n = 0; n < 3; n++) {
    const span = tracing.begin(SUBJECT, HEADERS);
    expect(span.traceparent).toBe(method === 'startSpan' || method === 'inject' ? undefined : '00-c-d-01');
    span.begin(SUBJECT).end({ outcome: 'ok' });
    span.end({ outcome: 'error', code: 'STORE_FULL' });
  }
  expect(warnings).toEqual([{ error: new Error('the SDK fails'), times: 1 }]);
  // A span that could not be described ends all the same.
  expect(ended).toHaveLength(method === 'startSpan' || method === 'end' ? 0 : 6);
});

it('a child of a span that the SDK failed to begin belongs to the span above it', () => {
  let isBroken = false;
  const { tracing, begun } = start({ startSpan: (() => (isBroken ? fails() : undefined)) as () => never });
  const above = tracing.begin(SUBJECT);
  isBroken = true;
  const broken = above.begin(SUBJECT);
  isBroken = false;
  broken.begin(SUBJECT);
  expect(begun.map(({ isChild }) => isChild)).toEqual([false, true, true]);
});

it('finds the write of a commit that is answered in the same turn, and no other', async () => {
  const { tracing } = start();
  const span = tracing.begin(SUBJECT);
  span.committed(COMMIT);
  const found = tracing.writeOf(COMMIT);
  const other = tracing.writeOf({ ...COMMIT, position: { epoch: 'e', offset: 8 } });
  await Promise.resolve();
  span.committed(COMMIT);
  expect(await found).toBe(span);
  expect(await other).toBeUndefined();
  expect(await tracing.writeOf(COMMIT)).toBeUndefined();
});

it('a flush that fails, or takes longer than traceFlushMs, ends with a log line', async () => {
  const failing = start({ flush: fails });
  await failing.tracing.flush();
  expect(failing.warnings).toHaveLength(1);
  const hanging = start({ flush: (() => new Promise(() => {})) as () => never });
  const flushed = hanging.tracing.flush();
  await vi.advanceTimersByTimeAsync(LIMITS.traceFlushMs - 1);
  expect(hanging.warnings).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  await flushed;
  expect(hanging.warnings).toHaveLength(1);
});
