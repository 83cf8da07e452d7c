import { z } from 'zod';
import { updateErrors, updateOps } from '../core/builtins/update-schema.js';
import type { BuiltinSchemas } from '../core/contracts/builtin-contract.js';
import { count, flag, json, optionalText, text } from '../core/contracts/fields.js';

const MOST_LISTED = 100_000;

const key = { scope: text(), key: text() };
const written = z.object({ old_value: json(), new_value: json() });

/** Schemas of the state functions (spec SA §3.1). */
export const STATE_SCHEMAS = {
  'state::set': {
    // SDKs up to 0.3 call the value `data`.
    input: z
      .object({ ...key, value: json().optional(), data: json().optional() })
      .refine(({ value, data }) => value !== undefined || data !== undefined, { path: ['value'], error: 'is required' }),
    output: written,
  },
  'state::get': { input: z.object(key), output: json() },
  'state::delete': { input: z.object(key), output: json() },
  'state::list': {
    input: z.object({ scope: text(), with_keys: flag(), limit: count(MOST_LISTED), after: optionalText(), with_next: flag() }),
    output: z.union([z.array(json()), z.object({ items: z.array(json()), next: z.string().optional() })]),
  },
  'state::list_groups': {
    takesAnything: true,
    input: z.object({ limit: count(MOST_LISTED), after: optionalText() }),
    output: z.object({ groups: z.array(z.string()), next: z.string().optional() }),
  },
  'state::update': { input: z.object({ ...key, ops: updateOps }), output: written.extend({ errors: updateErrors }) },
} as const satisfies Readonly<Record<string, BuiltinSchemas>>;

/** Schema for configs of `state` triggers. */
export const stateTriggerConfig = z.object({ scope: optionalText(), key: optionalText(), condition_function_id: optionalText() });
