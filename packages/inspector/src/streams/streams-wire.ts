import { flag, type Infer, json, list, number, object, oneOf, optional, text } from '../wire/decoder.js';

export const decodeStream = object({ stream: text });

export const decodeGroupRow = object({ group: text, subscriptions: number, log_changes: number, log_bytes: number });

/** `chars`: the length of a large value, which is left out. */
export const decodeItemRow = object({ id: text, data: json, chars: optional(number) });

export type ItemRow = Infer<typeof decodeItemRow>;

/** One group: its position, its readers and its log. A worker may serve the stream; the engine then knows no position. */
export const decodeGroup = object({
  stored_by: oneOf('engine', 'worker'),
  position: optional(text),
  available: flag,
  unavailable_ms: number,
  subscriptions: number,
  log: optional(object({ changes: number, bytes: number, first_offset: number, last_offset: number, oldest_ms: optional(number) })),
});

export type Group = Infer<typeof decodeGroup>;

/** A change in the log of a group. `shown` is the beginning of a large value, in place of `data`. */
export const decodeLogRow = object({
  offset: number,
  at_ms: number,
  kind: optional(text),
  event_type: optional(text),
  item: optional(text),
  bytes: number,
  data: json,
  shown: optional(text),
});

export type LogRow = Infer<typeof decodeLogRow>;

/** The first items of a group, to see whether it is small. */
export const decodeFirstItems = object({ rows: list(object({ id: text })), next: optional(text) });

/** Returns the path of a group in the API. */
export function groupPath(stream: string, group: string, ...rest: readonly string[]): readonly string[] {
  return ['streams', stream, 'groups', group, ...rest];
}
