import { flag, type Infer, list, mapOf, number, object, optional, text } from '../wire/decoder.js';

const column = list(number);

/** Figures of the last minutes, one list for each figure. All lists are equally long. */
const decodeSamples = object({
  at_ms: column,
  deliveries: column,
  bytes: column,
  changes: column,
  calls: column,
  connections: column,
  groups: column,
  lagging: column,
  unsent_bytes: column,
  loop_delay_ms: column,
  cpu: column,
});

export type Samples = Infer<typeof decodeSamples>;
export type Figure = Exclude<keyof Samples, 'at_ms'>;

const decodeStore = object({
  backend: optional(text),
  state: text,
  queued_changes: optional(number),
  data_bytes: optional(number),
  free_bytes: optional(number),
  connected: optional(flag),
});

export const decodeOverview = object({
  process: text,
  version: text,
  node: text,
  uptime_s: number,
  ready: flag,
  reasons: list(object({ code: text, message: optional(text) })),
  sessions: number,
  watched_groups: number,
  workers: number,
  functions: number,
  triggers: number,
  stores: mapOf(decodeStore),
  samples: decodeSamples,
});

export type Overview = Infer<typeof decodeOverview>;

/** A limit that was reached since the start of the engine. */
export const decodeLimitHit = object({ event: text, limits: list(text), times: number, last_ms: number, docs: text });

/** A line of level warn or error of the log. */
export const decodeWarning = object({
  number,
  at_ms: number,
  level: text,
  event: text,
  fields: mapOf((value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))),
  docs: text,
});

export type Warning = Infer<typeof decodeWarning>;
