import { LIMITS } from '@rivulet/protocol';
import { z } from 'zod';
import type { BuiltinSchemas } from './builtin-contract.js';
import { flag, json, optionalText, text } from './fields.js';

/** Most ids in one call of engine::functions::info. */
export const INFO_BATCH = 32;

const schema = json();
const functionRow = z.looseObject({
  function_id: z.string(),
  namespace: z.string(),
  worker_name: z.string(),
  description: z.string().nullable(),
  request_schema: schema,
  response_schema: schema,
  request_format: schema,
  response_format: schema,
  metadata: json(),
});
const workerRow = z.looseObject({ id: z.string(), name: z.string().nullable(), namespace: z.string(), instance_count: z.int() });
const typeRow = z.looseObject({ id: z.string(), namespace: z.string(), worker_name: z.string(), description: z.string() });
const bindingRow = z.looseObject({
  id: z.string(),
  trigger_type: z.string(),
  function_id: z.string(),
  namespace: z.string(),
  worker_name: z.string(),
  config: json(),
  state: z.enum(['live', 'waiting']),
});
const channelRef = z.object({ channel_id: z.string(), access_key: z.string(), direction: z.enum(['read', 'write']) });
const nothing = z.object({});
const internal = { include_internal: flag() };
const named = { search: optionalText(), prefix: optionalText(), worker: optionalText(), namespace: optionalText() };
const log: BuiltinSchemas = {
  input: z.object({
    message: optionalText(),
    data: json().optional(),
    trace_id: json().optional(),
    span_id: json().optional(),
    service_name: json().optional(),
  }),
  output: json(),
};

/** Schemas of the engine functions (spec WP §1.12). */
export const ENGINE_SCHEMAS: Readonly<Record<string, BuiltinSchemas>> = {
  // SDKs write this payload, and later versions may add keys, so any key is allowed (spec SM §7.1).
  'engine::workers::register': {
    input: z.looseObject({
      name: json().optional(),
      namespace: json().optional(),
      runtime: json().optional(),
      version: json().optional(),
      pid: json().optional(),
    }),
    output: z.object({ success: z.boolean() }),
  },
  'engine::workers::list': {
    input: z.object({
      worker_id: optionalText(),
      runtime: optionalText(),
      status: optionalText(),
      search: optionalText(),
      namespace: optionalText(),
      ...internal,
    }),
    output: z.object({ workers: z.array(workerRow), timestamp: z.int() }),
  },
  'engine::workers::info': {
    input: z.object({ name: text(), namespace: optionalText() }),
    output: z.object({
      worker: workerRow,
      functions: z.array(functionRow),
      trigger_types: z.array(typeRow),
      registered_triggers: z.array(bindingRow),
    }),
  },
  'engine::functions::list': {
    input: z.object({ ...internal, ...named, workers: z.array(text(), { error: 'must be a list of names' }).nullish() }),
    output: z.object({ functions: z.array(functionRow) }),
  },
  'engine::functions::info': {
    code: 'INVALID_ARGUMENTS',
    input: z
      .object({
        function_id: optionalText(),
        function_ids: z
          .array(text(), { error: `must be an array of at most ${INFO_BATCH} strings` })
          .max(INFO_BATCH, { error: `must be an array of at most ${INFO_BATCH} strings` })
          .nullish(),
        namespace: optionalText(),
      })
      .refine(({ function_id: one, function_ids: many }) => (one ?? undefined) === undefined || (many ?? undefined) === undefined, {
        error: 'give either function_id or function_ids',
      }),
    output: z.union([
      functionRow,
      z.object({ functions: z.array(z.union([functionRow, z.object({ function_id: z.string(), error: z.string() })])) }),
    ]),
  },
  'engine::triggers::list': {
    input: z.object({ ...internal, ...named }),
    output: z.object({ triggers: z.array(z.union([typeRow, bindingRow])) }),
  },
  'engine::triggers::info': { input: z.object({ id: text(), namespace: optionalText() }), output: typeRow },
  'engine::trigger-types::list': {
    input: z.object({ ...internal, ...named }),
    output: z.object({ trigger_types: z.array(typeRow) }),
  },
  'engine::registered-triggers::list': {
    input: z.object({
      ...internal,
      trigger_type: optionalText(),
      function_id: optionalText(),
      worker: optionalText(),
      search: optionalText(),
      namespace: optionalText(),
    }),
    output: z.object({ registered_triggers: z.array(bindingRow) }),
  },
  'engine::registered-triggers::info': { input: z.object({ id: text() }), output: bindingRow },
  'engine::register_trigger': {
    input: z.object({
      trigger_type: text(),
      function_id: text(),
      config: z.record(z.string(), json(), { error: 'must be an object' }).nullish(),
      metadata: json().optional(),
      namespace: optionalText(),
      trigger_namespace: optionalText(),
    }),
    output: z.object({ id: z.string() }),
  },
  'engine::unregister_trigger': {
    input: z.object({ id: text(), trigger_type: optionalText() }),
    output: z.object({ removed: z.boolean() }),
  },
  'engine::channels::create': {
    input: z.object({ buffer_size: z.number({ error: `must be a number; at most ${LIMITS.channelMessagesAsked} counts` }).nullish() }),
    output: z.object({ writer: channelRef, reader: channelRef }),
  },
  'engine::sessions::disconnect': {
    input: z.object({ identity: optionalText(), session_id: optionalText() }),
    output: z.object({ disconnected: z.int() }),
  },
  'engine::health::check': { input: nothing, output: z.object({ status: z.string() }) },
  ...Object.fromEntries(['trace', 'debug', 'info', 'warn', 'error'].map((level) => [`engine::log::${level}`, log])),
};

/** Schema for configs of `engine::functions-available` and `engine::workers-available` triggers. */
export const engineTriggerConfig = z.object({ condition_function_id: optionalText() });
