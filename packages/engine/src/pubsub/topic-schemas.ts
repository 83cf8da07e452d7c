import { z } from 'zod';
import type { BuiltinSchemas } from '../core/contracts/builtin-contract.js';
import { json, optionalText } from '../core/contracts/fields.js';

/** Schemas of `publish`. A missing topic has a code of its own, `topic_not_set`. */
export const PUBLISH_SCHEMAS: BuiltinSchemas = {
  input: z.object({ topic: optionalText(), data: json().optional() }),
  output: z.null(),
};

/** Schema for configs of `subscribe` triggers. */
export const subscribeConfig = z.object({ topic: optionalText(), condition_function_id: optionalText() });
