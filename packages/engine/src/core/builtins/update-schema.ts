import { LIMITS } from '@rivulet/protocol';
import { z } from 'zod';
import { json, requiredJson } from '../contracts/fields.js';

const key = z.string({ error: 'path must be a string, or an array of strings for merge and append' }).nullish();
const path = z
  .union([z.string(), z.array(z.string())], { error: 'path must be a string, or an array of strings for merge and append' })
  .nullish();
const by = z.number({ error: 'must be a finite number' });

/** Schema of one operation of an update (spec SA §3.3). */
const op = z.discriminatedUnion(
  'type',
  [
    z.object({ type: z.literal('set'), path: key, value: json().optional() }),
    z.object({ type: z.literal('merge'), path, value: requiredJson() }),
    z.object({ type: z.literal('append'), path, value: requiredJson() }),
    z.object({ type: z.literal('increment'), path: key, by }),
    z.object({ type: z.literal('decrement'), path: key, by }),
    z.object({ type: z.literal('remove'), path: key }),
  ],
  { error: 'must be an object whose type is set, merge, append, increment, decrement or remove' },
);

/** Schema of `ops` of `state::update` and `stream::update`. */
export const updateOps = z
  .array(op, { error: 'must be an array' })
  .max(LIMITS.updateOps, { error: `must have at most ${LIMITS.updateOps} entries` });

/** Schema of `errors` in their result. It is absent when every operation was applied. */
export const updateErrors = z.array(z.object({ op_index: z.int(), code: z.string(), message: z.string(), doc_url: z.string() })).optional();
