import { flag, type Infer, json, number, object, oneOf, optional, text } from '../wire/decoder.js';

/** A row of `/api/workers`. */
export const decodeWorker = object({
  worker_id: text,
  name: optional(text),
  namespace: text,
  kind: oneOf('trusted', 'guest'),
  runtime: optional(text),
  version: optional(text),
  pid: optional(number),
  address: text,
  connected_at_ms: number,
  functions: number,
  active_calls: number,
});
export type Worker = Infer<typeof decodeWorker>;

/** A row of `/api/functions`. */
export const decodeFunctionRow = object({ function_id: text, namespace: text, worker_name: optional(text), description: optional(text) });
export type FunctionRow = Infer<typeof decodeFunctionRow>;

/** One function with its schemas, which its worker has sent. */
export const decodeFunction = object({
  function_id: text,
  namespace: text,
  worker_name: optional(text),
  description: optional(text),
  request_schema: json,
  response_schema: json,
  /** True for a schema that is too long for the answer. */
  request_schema_left_out: optional(flag),
  response_schema_left_out: optional(flag),
  registrants: optional(number),
});
export type FunctionDetail = Infer<typeof decodeFunction>;

/** A row of `/api/triggers`. */
export const decodeTrigger = object({
  id: text,
  trigger_type: text,
  function_id: text,
  namespace: text,
  worker_name: optional(text),
  state: oneOf('live', 'waiting'),
  waits_for: optional(object({ kind: oneOf('trigger_type', 'function'), id: text, remedy: optional(text) })),
  config_summary: optional(text),
});
export type Trigger = Infer<typeof decodeTrigger>;

export const DEFAULT_NAMESPACE = 'default';
