import { LIMITS } from '@rivulet/protocol';
import { z } from 'zod';
import { updateErrors, updateOps } from '../../core/builtins/update-schema.js';
import type { BuiltinSchemas } from '../../core/contracts/builtin-contract.js';
import { count, flag, json, optionalText, requiredJson, text } from '../../core/contracts/fields.js';

const MOST_LISTED = 100_000;

const group = { stream_name: text(), group_id: text() };
const item = { ...group, item_id: text() };
const terms = { if_version: optionalText(), if_absent: flag(), ttl_ms: count(LIMITS.ttlMostMs, LIMITS.ttlLeastMs) };
/** The terms of a delete, which has fewer of them. `false` and `null` mean that a term is absent. */
const deleteTerms = {
  if_version: optionalText(),
  if_absent: z.literal(false, { error: 'is not for a delete' }).nullish(),
  ttl_ms: z.null({ error: 'is not for a delete' }).optional(),
};
const idempotencyKey = text().min(1, { error: 'must not be empty' }).nullish();
const more = { with_versions: flag(), idempotency_key: idempotencyKey };
const write = { item_id: text(), idempotency_key: z.null({ error: 'is for the whole batch; give it beside writes' }).optional() };

/** The result of a write whose condition does not hold. */
const conflict = z.object({ conflict: z.object({ index: z.int().optional(), value: json(), version: z.string().nullable() }) });
const marks = { version: z.string().nullish(), replayed: z.boolean().optional() };
const written = z.object({ old_value: json(), new_value: json(), errors: updateErrors, ...marks });
const deleted = z.object({ old_value: json(), ...marks });

const one = z.object({ id: z.string(), data: json(), version: z.string().optional() });
const rows = z.union([z.array(json()), z.array(one)]);

const place = z.object({ stream: text(), group: text() }, { error: 'must be an object with the texts stream and group' });

/** Schemas of the input and the result of the stream functions (spec ST §2.1). */
export const STREAM_SCHEMAS = {
  'stream::set': { input: z.object({ ...item, data: requiredJson(), ...terms, ...more }), output: z.union([written, conflict]) },
  'stream::get': { input: z.object({ ...item, with_versions: flag() }), output: json() },
  'stream::delete': { input: z.object({ ...item, ...deleteTerms, ...more }), output: z.union([deleted, conflict]) },
  'stream::list': {
    input: z.object({
      ...group,
      with_ids: flag(),
      with_versions: flag(),
      with_position: flag(),
      with_next: flag(),
      limit: count(MOST_LISTED),
      after: optionalText(),
    }),
    output: z.union([rows, z.object({ items: rows, position: z.string().optional(), next: z.string().optional() })]),
  },
  'stream::list_groups': {
    input: z.object({ stream_name: text(), limit: count(MOST_LISTED), after: optionalText(), with_next: flag() }),
    output: z.union([z.array(z.string()), z.object({ groups: z.array(z.string()), next: z.string().optional() })]),
  },
  'stream::list_all': {
    takesAnything: true,
    input: z.object({ limit: count(MOST_LISTED), after: place.nullish() }),
    output: z.object({
      stream: z.array(z.object({ id: z.string(), groups: z.array(z.string()) })),
      count: z.int(),
      next: json().optional(),
    }),
  },
  'stream::send': {
    input: z.object({
      ...group,
      type: optionalText(),
      event_type: optionalText(),
      data: json().optional(),
      id: optionalText(),
      item_id: optionalText(),
      idempotency_key: idempotencyKey,
    }),
    output: z.union([z.null(), z.object({ replayed: z.boolean() })]),
  },
  'stream::update': { input: z.object({ ...item, ops: updateOps, ...terms, ...more }), output: z.union([written, conflict]) },
  'stream::batch': {
    input: z.object({
      ...group,
      writes: z
        .array(
          z.discriminatedUnion(
            'type',
            [
              z.object({ type: z.literal('set'), ...write, ...terms, data: requiredJson() }),
              z.object({ type: z.literal('update'), ...write, ...terms, ops: updateOps }),
              z.object({ type: z.literal('delete'), ...write, ...deleteTerms }),
            ],
            { error: 'must be an object whose type is set, update or delete' },
          ),
          { error: `must be a list of 1 to ${LIMITS.batchWrites}` },
        )
        .min(1, { error: `must be a list of 1 to ${LIMITS.batchWrites}` })
        .max(LIMITS.batchWrites, { error: `must be a list of 1 to ${LIMITS.batchWrites}` }),
      with_versions: flag(),
      idempotency_key: idempotencyKey,
    }),
    output: z.union([z.object({ results: z.array(z.union([written, deleted])), replayed: z.boolean().optional() }), conflict]),
  },
} as const satisfies Readonly<Record<string, BuiltinSchemas>>;

/** Schemas of the input and the result of `engine::stream-sessions::list`. */
export const SESSION_SCHEMAS: BuiltinSchemas = {
  input: z.object({ limit: count(10_000) }),
  output: z.object({ count: z.int(), lagging: z.int(), sessions: z.array(z.looseObject({ address: z.string() })) }),
};

/** The config of `stream`, `stream:join` and `stream:leave` triggers. */
export const streamTriggerConfig = z.object({
  stream_name: optionalText(),
  group_id: optionalText(),
  item_id: optionalText(),
  condition_function_id: optionalText(),
});
