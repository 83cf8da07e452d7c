import { LIMITS } from '@rivulet/protocol';
import { expect, it } from 'vitest';
import { TriggerRegistry } from '../../src/core/fabric/trigger-registry.js';
import { silentLogger } from '../../src/logging/logger.js';

const durable = (id: string) => ({ id, type: 'later', functionId: 'app::f', config: {}, metadata: undefined, workerId: undefined });

it('durable triggers are bounded, and one that is removed makes room', () => {
  const registry = new TriggerRegistry(silentLogger);
  for (let n = 0; n < LIMITS.durableTriggers; n++) registry.register(durable(`t${n}`));
  expect(() => registry.register(durable('more'))).toThrow(expect.objectContaining({ code: 'OVERLOADED' }));
  expect(registry.bindings()).toHaveLength(LIMITS.durableTriggers);
  // Triggers of a worker have a bound of their own.
  registry.register({ ...durable('of a worker'), workerId: 'w1' });
  expect(registry.unregister('t0')).toBe(true);
  registry.register(durable('more'));
  // Registering the same id again replaces the trigger, so the count stays.
  registry.register(durable('more'));
  expect(registry.binding('more')).toBeDefined();
});

it('a binding that waits for a type of an entry which the configuration does not list, or for one that never comes, is hinted at once', () => {
  const lines: unknown[] = [];
  const registry = new TriggerRegistry({ ...silentLogger, warn: (event, fields) => void lines.push([event, fields]) });
  for (const type of ['subscribe', 'subscribe', 'cron', 'of a worker']) registry.register({ ...durable(type), type });
  expect(lines).toEqual([
    ['trigger_type_not_here', { type: 'subscribe', remedy: 'list rivulet-pubsub in the configuration; its bindings wait until then' }],
    ['trigger_type_not_here', { type: 'cron', remedy: 'bindings of this type never fire here' }],
  ]);
});
