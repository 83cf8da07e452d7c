import { LIMITS } from '@rivulet/protocol';
import { z } from 'zod';
import { type Fields, type Keys, key, optionalKey } from './key.js';
import { MIB, oneOf, YEAR_MS } from './value-schemas.js';

const STREAMS_BOUND = `a name of 1 to ${LIMITS.idBytes} bytes without control characters; * stands for any characters`;
const streams = z
  .string({ error: STREAMS_BOUND })
  .refine((name) => name !== '' && Buffer.byteLength(name) <= LIMITS.idBytes && !/\p{Cc}/u.test(name), {
    error: STREAMS_BOUND,
  })
  .meta({ minLength: 1, maxLength: LIMITS.idBytes })
  .describe(STREAMS_BOUND);

function optionalNumber(min: number, max: number) {
  const bound = `a whole number from ${min} to ${max}, or no such key`;
  return z.int({ error: bound }).min(min, { error: bound }).max(max, { error: bound }).optional().describe(bound);
}

/** Keys of each entry of `group_bounds`. */
export const GROUP_BOUNDS_KEYS = {
  streams: key('streams', streams, 'Streams of the entry: one name, or a pattern such as `chat-*`'),
  maxItems: optionalKey('max_items', optionalNumber(1, 1_000_000_000), 'Most items of one group'),
  maxBytes: optionalKey(
    'max_bytes',
    optionalNumber(1, 1_048_576 * MIB),
    'Most UTF-8 bytes of one group: the ids of its items, and their values as JSON',
  ),
  maxAgeMs: optionalKey(
    'max_age_ms',
    optionalNumber(LIMITS.ttlLeastMs, 10 * YEAR_MS),
    'Time after the last change of an item at which the engine deletes it',
  ),
  onFull: key(
    'on_full',
    oneOf(['refuse', 'delete_oldest'], 'refuse'),
    'A write beyond `max_items` or `max_bytes`: `refuse` rejects it with `GROUP_FULL`. `delete_oldest` deletes the items that were created first',
  ),
} as const satisfies Keys;

/** One entry of `group_bounds`. The first entry that matches a stream counts. */
export interface GroupBoundsConfig extends Fields<typeof GROUP_BOUNDS_KEYS> {}
