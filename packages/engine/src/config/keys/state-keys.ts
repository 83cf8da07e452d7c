import { LIMITS } from '@rivulet/protocol';
import { z } from 'zod';
import { convertedKey, type Fields, type Keys, key, specialKey } from './key.js';
import type { StoreConfig } from './store-config.js';
import { adapter, flag, milliseconds } from './value-schemas.js';

const VALUE_BOUND = 'a whole number of bytes, at least 1';
const valueBytes = z.int({ error: VALUE_BOUND }).min(1, { error: VALUE_BOUND }).nullish().describe(VALUE_BOUND);

/** Keys of `rivulet-state`. */
export const STATE_KEYS = {
  adapter: specialKey('adapter', adapter, 'The store of the values, see above'),
  triggersEnabled: key(
    'triggers_enabled',
    flag(true),
    'Run state triggers. With `false` their bindings stay, but changes never fire them, not even later',
  ),
  maxValueBytes: convertedKey(
    'max_value_bytes',
    valueBytes,
    'Largest value of `state::set` and `state::update`, as JSON in UTF-8. Larger ones fail with `VALUE_TOO_LARGE`. None means 8000000, and more is an error',
    { read: (most) => (most == null ? undefined : Math.min(most, LIMITS.valueBytes)), write: (most) => most ?? null },
  ),
  saveIntervalMs: specialKey(
    'save_interval_ms',
    milliseconds(5_000, { min: 100, max: 3_600_000 }),
    'Time between checkpoints of a relaxed store, if the adapter has no such key',
  ),
} as const satisfies Keys;

export interface StateConfig extends Fields<typeof STATE_KEYS> {
  readonly adapter: StoreConfig;
}
