import { isJsonObject, type JsonObject } from '@rivulet/protocol';
import type { Caller } from '../../fabric/invocation.js';

/** Members of a worker's row that describe its machine. */
const MACHINE = ['ip_address', 'pid', 'os', 'isolation'] as const;
/** Members of the answers of `engine::*` that hold rows. */
const ROWS = new Set(['workers', 'worker', 'functions', 'function', 'trigger', 'triggers', 'trigger_types', 'registered_triggers']);

/**
 * Returns an answer of `engine::*` as its caller may see it. A guest sees no addresses, processes and names of workers, because the default
 * name of a worker contains its host and process id. The first segment of the id replaces the name, as for a worker without one.
 */
export function rowsFor(caller: Pick<Caller, 'access'> | undefined, answer: unknown): unknown {
  return caller?.access === undefined ? answer : masked(answer);
}

/** Returns one row of a list as its caller may see it. */
export function rowFor(caller: Pick<Caller, 'access'> | undefined, row: JsonObject): JsonObject {
  return caller?.access === undefined ? row : maskedRow(row);
}

function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  return isJsonObject(value) ? maskedRow(value) : value;
}

function maskedRow(value: JsonObject): JsonObject {
  const row: Record<string, unknown> = { ...value };
  for (const key of MACHINE) if (key in row) row[key] = null;
  if ('worker_name' in row && row.worker_name !== 'engine') row.worker_name = firstSegment(row.function_id ?? row.id);
  if ('ip_address' in row && row.id !== 'engine') row.name = null;
  for (const key of Object.keys(row)) if (ROWS.has(key)) row[key] = masked(row[key]);
  return row;
}

function firstSegment(id: unknown): string | null {
  return typeof id === 'string' ? (id.split('::', 1)[0] ?? null) : null;
}
