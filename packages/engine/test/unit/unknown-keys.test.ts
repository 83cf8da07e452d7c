import { LIMITS } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { updateOps } from '../../src/core/builtins/update-schema.js';
import { IgnoredKeys } from '../../src/core/contracts/ignored-keys.js';
import { InputKeys } from '../../src/core/contracts/input-keys.js';
import { TriggerRegistry } from '../../src/core/fabric/trigger-registry.js';
import { silentLogger } from '../../src/logging/logger.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function recorder() {
  const lines: unknown[] = [];
  return { lines, logger: { ...silentLogger, warn: (event: string, fields?: object) => void lines.push([event, fields]) } };
}

it('the keys that the engine logs are bounded for each worker, and no worker keeps another one from being logged', () => {
  const { lines, logger } = recorder();
  const ignored = new IgnoredKeys(logger);
  for (let n = 0; n < LIMITS.unknownKeysLogged * 2; n++) ignored.add('w1', 'stream::set', `key-${n}`);
  expect(lines).toHaveLength(LIMITS.unknownKeysLogged);
  ignored.add('w2', 'stream::set', 'key-0');
  expect(lines).toHaveLength(LIMITS.unknownKeysLogged + 1);
  for (let n = 0; n < 5_000; n++) ignored.add(`worker-${n}`, 'stream::set', 'key');
  expect(lines).toHaveLength(LIMITS.unknownKeysLogged + 5_001);
});

it('the keys of a connection that has ended are forgotten', () => {
  const { lines, logger } = recorder();
  const ignored = new IgnoredKeys(logger);
  for (const worker of ['w1', 'w2']) ignored.add(worker, 'stream::set', 'key');
  ignored.forget('w1');
  for (const worker of ['w1', 'w2']) ignored.add(worker, 'stream::set', 'key');
  expect(lines.map((line) => (line as [string, { worker: string }])[1].worker)).toEqual(['w1', 'w2', 'w1']);
});

it('a payload of very many unknown keys costs the comparison of a bounded number of them', () => {
  const keys = InputKeys.of(z.object({ stream_name: z.string(), group_id: z.string() }));
  const seen: string[] = [];
  const policy = { strict: false, ignored: (key: string) => void seen.push(key) };
  const value = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`key-number-${n}`, n]));
  expect(keys?.refusal(value, policy)).toBeUndefined();
  expect(seen).toHaveLength(LIMITS.unknownKeysLogged);
  expect(keys?.refusal(value, { ...policy, strict: true })).toContain('unknown key');
});

it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', ''])('the key %j is unknown as any other', (key) => {
  const keys = InputKeys.of(z.object({ data: z.unknown(), list: z.array(z.object({ a: z.string() })) }));
  const seen: string[] = [];
  const policy = { strict: false, ignored: (each: string) => void seen.push(each) };
  const value: unknown = JSON.parse(`{${JSON.stringify(key)}:{"polluted":true},"list":[{${JSON.stringify(key)}:1}]}`);
  expect(keys?.refusal(value, policy)).toBeUndefined();
  expect(seen).toEqual([key, key]);
  expect(keys?.refusal(value, { ...policy, strict: true })).toContain('unknown key');
});

it.each([
  [{ type: 'set', path: 'n', by: 1 }, 'by'],
  [{ type: 'increment', path: 'n', by: 1, value: 2 }, 'value'],
  [{ type: 'remove', path: 'n', value: 2 }, 'value'],
])('C7 the operation %j has a key of another operation: strict payloads refuse it, otherwise the engine reports it', (op, key) => {
  const keys = InputKeys.of(z.object({ ops: updateOps }));
  const seen: string[] = [];
  const policy = { strict: false, ignored: (each: string) => void seen.push(each) };
  expect(keys?.refusal({ ops: [op] }, policy)).toBeUndefined();
  expect(seen).toEqual([key]);
  expect(keys?.refusal({ ops: [op] }, { ...policy, strict: true })).toBe(
    `ops[0]: unknown key ${JSON.stringify(key)}; known are ${op.type === 'increment' ? 'type, path, by' : op.type === 'set' ? 'type, path, value' : 'type, path'}`,
  );
});

it('an operation of an unknown type may have the keys of every operation', () => {
  const keys = InputKeys.of(z.object({ ops: updateOps }));
  const policy = { strict: true, ignored: () => {} };
  expect(keys?.refusal({ ops: [{ type: 'sett', path: 'n', by: 1, value: 2 }] }, policy)).toBeUndefined();
  expect(keys?.refusal({ ops: [{ path: 'n', other: 1 }] }, policy)).toContain('unknown key "other"');
});

it('a trigger that waits for a type is reported once, with the nearest known type', () => {
  const { lines, logger } = recorder();
  const registry = new TriggerRegistry(logger);
  const provider = { register: () => {}, unregister: () => {} };
  const format = { description: '', triggerRequestFormat: null, callRequestFormat: null, namespace: 'default' };
  registry.addType({ id: 'stream', provider, workerId: undefined, ...format });
  const binding = (id: string, type: string) => ({ id, type, functionId: 'app::f', config: {}, metadata: undefined, workerId: 'w1' });
  for (const [id, type] of [
    ['a', 'streem'],
    ['b', 'streem'],
    ['c', 'stream'],
    ['d', 'later'],
  ] as const)
    registry.register(binding(id, type));
  vi.advanceTimersByTime(LIMITS.triggerWaitReportMs - 1);
  registry.addType({ id: 'later', provider, workerId: 'w2', ...format });
  expect(lines).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(lines).toEqual([['trigger_type_missing', { type: 'streem', nearest: 'stream', trigger: 'a', function: 'app::f', bindings: 2 }]]);
  registry.register(binding('e', 'streem'));
  vi.advanceTimersByTime(LIMITS.triggerWaitReportMs);
  expect(lines).toHaveLength(1);
  expect([registry.waits('a'), registry.waits('c'), registry.waits('d')]).toEqual([true, false, false]);
});
