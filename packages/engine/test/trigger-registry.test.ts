import { LIMITS } from '@rivulet/protocol';
import { expect, it } from 'vitest';
import { TriggerRegistry } from '../src/core/trigger-registry.js';
import { silentLogger } from '../src/logging/logger.js';

const durable = (id: string) => ({ id, type: 'later', functionId: 'app::f', config: {}, metadata: undefined, workerId: undefined });

it('durable triggers are bounded, and one that is removed makes room', () => {
  const registry = new TriggerRegistry(silentLogger);
  for (let n = 0; n < LIMITS.durableTriggers; n++) registry.register(durable(`t${n}`));
  expect(() => registry.register(durable('more'))).toThrow(expect.objectContaining({ code: 'OVERLOADED' }));
  expect(registry.bindings()).toHaveLength(LIMITS.durableTriggers);
  // A worker's own triggers have a bound of their own.
  registry.register({ ...durable('of a worker'), workerId: 'w1' });
  expect(registry.unregister('t0')).toBe(true);
  registry.register(durable('more'));
  // The same id again replaces: it takes no room.
  registry.register(durable('more'));
  expect(registry.binding('more')).toBeDefined();
});
