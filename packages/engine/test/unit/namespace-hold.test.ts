import { decodeWorkerMessage, LIMITS, type WorkerMessage } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { NamespaceHold } from '../../src/core/workers/namespace-hold.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function world() {
  const log: string[] = [];
  const hold: NamespaceHold = new NamespaceHold({
    handle: (message) =>
      void log.push('id' in message ? message.id : message.type === 'invokefunction' ? message.function_id : message.type),
    settle: (namespace) => void log.push(`settle ${namespace}`),
    full: () => void log.push('full'),
  });
  const take = (frame: object, chars = 10) => {
    const decoded = decodeWorkerMessage(JSON.stringify(frame));
    hold.take((decoded as { message: WorkerMessage }).message, chars);
  };
  return { hold, log, take };
}

const f = (id: string) => ({ type: 'registerfunction', id });

it('registrations without an announcement take effect in default after the grace time', () => {
  const { log, take } = world();
  take(f('a'));
  take({ type: 'ping' });
  take({ type: 'invokefunction', function_id: 'b', namespace: 'default' });
  vi.advanceTimersByTime(LIMITS.namespaceGraceMs - 1);
  expect(log).toEqual(['ping']);
  vi.advanceTimersByTime(1);
  take(f('c'));
  expect(log).toEqual(['ping', 'settle default', 'a', 'b', 'c']);
});

it.each([
  { type: 'invokefunction', function_id: 'x' },
  { type: 'registertrigger', id: 'x', trigger_type: 'stream', function_id: 'f' },
])('$type without a namespace shows that the worker has none: nothing waits', (frame) => {
  const { log, take } = world();
  take(f('a'));
  take(frame);
  expect(log).toEqual(['settle default', 'a', 'x']);
});

it('the announcement passes, and what waits follows into its namespace', () => {
  const { hold, log, take } = world();
  take(f('a'));
  take({ type: 'registertrigger', id: 't', trigger_type: 'stream', function_id: 'f', namespace: 'tenant' });
  take({ type: 'invokefunction', function_id: 'engine::workers::register' });
  hold.settle('tenant');
  hold.settle('other');
  vi.advanceTimersByTime(LIMITS.namespaceGraceMs);
  expect(log).toEqual(['engine::workers::register', 'settle tenant', 'a', 't']);
});

it('frames that wait are bounded in number and size: more of them end the wait', () => {
  const { log, take } = world();
  for (let n = 0; n <= LIMITS.namespaceHeldFrames; n++) take(f(`f${n}`), 1);
  expect(log.slice(0, 3)).toEqual(['full', 'settle default', 'f0']);
  expect(log).toHaveLength(LIMITS.namespaceHeldFrames + 3);
  const other = world();
  other.take(f('a'), LIMITS.namespaceHeldChars);
  other.take(f('b'), 1);
  expect(other.log).toEqual(['full', 'settle default', 'a', 'b']);
});

it('what waits has no effect after the end of the session', () => {
  const { hold, log, take } = world();
  take(f('a'));
  hold.close();
  hold.settle('tenant');
  vi.advanceTimersByTime(LIMITS.namespaceGraceMs);
  expect(log).toEqual([]);
});
