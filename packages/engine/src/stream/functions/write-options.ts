import { field, isJsonObject, type JsonObject, LIMITS } from '@rivulet/protocol';
import { mismatch, readCount, readFlag, readText } from '../../core/builtins/input.js';
import { requireId } from '../../store/shared/ids.js';
import type { Condition, Expiry } from '../../store/store.js';

/** Condition and lifetime of a write. */
export interface WriteTerms {
  readonly condition: Condition | undefined;
  readonly expiry: Expiry | undefined;
}

/** The terms that each function takes. Others are refused: a caller must not rely on a term that has no effect. */
const TAKEN = {
  set: { if_absent: true, ttl_ms: true },
  update: { if_absent: true, ttl_ms: true },
  delete: { if_absent: false, ttl_ms: false },
} as const;

/** Reads `if_version`, `if_absent` and `ttl_ms`. Returns `undefined` without any of them. Throws deserialization_error. */
export function readTerms(input: JsonObject, of: keyof typeof TAKEN): WriteTerms | undefined {
  const version = readText(input, 'if_version');
  const absent = readFlag(input, 'if_absent');
  const ttlMs = readCount(input, 'ttl_ms', LIMITS.ttlMostMs, LIMITS.ttlLeastMs);
  if (version === undefined && !absent && ttlMs === undefined) return undefined;
  if (version !== undefined && absent) throw mismatch('if_version and if_absent exclude each other; give one of them');
  if (absent && !TAKEN[of].if_absent) throw mismatch(`${of} takes no if_absent`);
  if (ttlMs !== undefined && !TAKEN[of].ttl_ms) throw mismatch(`${of} takes no ttl_ms`);
  const condition = version === undefined ? (absent ? ({ kind: 'absent' } as const) : undefined) : ({ kind: 'version', version } as const);
  return { condition, expiry: ttlMs === undefined ? undefined : { kind: 'ttl', ms: ttlMs } };
}

/** Reads `idempotency_key`. Returns `undefined` without one. Throws deserialization_error or INVALID_ID. */
export function readKey(input: JsonObject): string | undefined {
  const key = readText(input, 'idempotency_key');
  if (key === '') throw mismatch('idempotency_key must not be empty');
  if (key !== undefined) requireId(key, 'idempotency_key');
  return key;
}

/** Reads the list of writes of a batch. Throws deserialization_error. */
export function readWrites(input: JsonObject): readonly JsonObject[] {
  const writes = field(input, 'writes');
  if (!Array.isArray(writes) || writes.length < 1 || writes.length > LIMITS.batchWrites)
    throw mismatch(`writes must be a list of 1 to ${LIMITS.batchWrites}`);
  return writes.map((write: unknown, index) => {
    if (!isJsonObject(write)) throw mismatch(`writes[${index}] must be an object`);
    return write;
  });
}
