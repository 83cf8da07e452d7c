import { LIMITS } from '@rivulet/protocol';
import { expect, test } from 'vitest';
import { EventFeed, type FeedOptions } from '../../src/core/engine-api/event-feed.js';
import type { TriggerBinding } from '../../src/core/fabric/fabric.js';
import { FunctionFabric } from '../../src/core/fabric/function-fabric.js';
import { JsonPayload } from '../../src/core/fabric/invocation.js';
import { silentLogger } from '../../src/logging/logger.js';

const binding = (id: string, workerId: string | undefined = id): TriggerBinding => ({
  id,
  workerId,
  type: 'engine::workers-available',
  functionId: 'test::on',
  config: {},
  metadata: id,
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Starts a feed with a function that answers when the test says so. `calls` lists its calls in order. */
function start(options: Partial<FeedOptions> = {}) {
  const fabric = new FunctionFabric(silentLogger);
  const calls: string[] = [];
  /** Calls in each turn. */
  const portions: number[] = [];
  let open = false;
  const answers: (() => void)[] = [];
  fabric.registerBuiltin(
    'test::on',
    async ({ metadata, payload }) => {
      if (!open) {
        open = portions.push(0) > 0;
        queueMicrotask(() => (open = false));
      }
      portions.push((portions.pop() ?? 0) + 1);
      calls.push(`${String(metadata)} ${payload.text}`);
      await new Promise<void>((resolve) => answers.push(resolve));
      return { kind: 'result', text: undefined };
    },
    'Waits.',
  );
  const lines: unknown[] = [];
  const logger = { ...silentLogger, warn: (event: string, fields: unknown) => void lines.push({ event, fields }) };
  const feed = new EventFeed({ fabric, logger, kept: 4, firingsPerTurn: 100, ...options });
  const publish = (n: number) => feed.publish(() => JsonPayload.ofValue(n));
  /** Answers calls until there were `count` of them. The feed pauses after a slow turn. */
  const until = async (count: number) => {
    while (calls.length < count) {
      for (const each of answers.splice(0)) each();
      await turn();
    }
  };
  return { feed, calls, publish, until, lines, portions };
}

test('a binding gets its events in order, one at a time, and loses the oldest of what is not kept, which is logged once', async () => {
  const { feed, calls, publish, until, lines } = start();
  feed.register(binding('a'));
  for (let n = 0; n < 3; n++) publish(n);
  await until(1);
  expect(calls).toEqual(['a 0']);
  for (let n = 3; n < 20; n++) publish(n);
  await until(5);
  expect(calls).toEqual(['a 0', 'a 16', 'a 17', 'a 18', 'a 19']);
  expect(lines).toEqual([{ event: 'trigger_overflow', fields: { trigger: 'a', function: 'test::on', dropped: 15 } }]);
});

test('where only the latest counts, it is sent once the one before is answered, and nothing is logged', async () => {
  const { feed, calls, publish, until, lines } = start({ kept: 1 });
  feed.register(binding('a'));
  for (let n = 0; n < 9; n++) publish(n);
  await until(1);
  for (let n = 9; n < 99; n++) publish(n);
  await until(2);
  expect(calls).toEqual(['a 8', 'a 98']);
  expect(lines).toEqual([]);
});

test('bindings get their turns in portions, those of one worker one after the other', async () => {
  const { feed, calls, publish, portions, until } = start({ firingsPerTurn: 2 });
  for (const id of ['a1', 'b1', 'a2', 'c1', 'a3']) feed.register(binding(id, id[0]));
  publish(0);
  await until(5);
  expect(portions).toEqual([2, 2, 1]);
  expect(calls).toEqual(['a1 0', 'a2 0', 'a3 0', 'b1 0', 'c1 0']);
});

test('a removed binding gets nothing more, and a later one gets nothing from before', async () => {
  const { feed, calls, publish, until } = start();
  feed.register(binding('a'));
  publish(0);
  publish(1);
  await until(1);
  feed.unregister(binding('a'));
  feed.register(binding('b'));
  publish(2);
  await until(2);
  expect(calls).toEqual(['a 0', 'b 2']);
  feed.unregister(binding('b'));
  expect(feed.empty).toBe(true);
});

test('a worker has a bound of bindings, durable ones have that of their own', () => {
  const { feed } = start();
  for (let n = 0; n < LIMITS.engineTriggersPerWorker; n++) feed.register(binding(`a${n}`, 'a'));
  expect(() => feed.register(binding('more', 'a'))).toThrow(/at most 16/);
  feed.register(binding('b', 'b'));
  feed.unregister(binding('a0'));
  feed.register(binding('more', 'a'));
  for (let n = 0; n < 100; n++) feed.register({ ...binding(`d${n}`), workerId: undefined });
});

test('what took long is followed by a pause as long', async () => {
  const { feed, calls } = start({ kept: 1, firingsPerTurn: 1 });
  const times: number[] = [];
  for (const id of ['a', 'b']) feed.register(binding(id));
  feed.publish(() => {
    times.push(performance.now());
    while (performance.now() - (times.at(-1) ?? 0) < 30);
    times.push(performance.now());
    return JsonPayload.ofValue(0);
  });
  while (calls.length < 2) await turn();
  const [, end = 0, next = 0] = times;
  expect(next - end).toBeGreaterThan(25);
});
