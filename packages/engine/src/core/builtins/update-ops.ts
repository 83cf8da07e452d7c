import { field, isJsonObject, type JsonObject, LIMITS, utf8Length } from '@rivulet/protocol';

/** One operation of `state::update` or `stream::update` (spec SA §3.3). The empty path is the root, which is the whole value. */
export type UpdateOp =
  | { readonly type: 'set'; readonly path: readonly string[]; readonly value: unknown }
  | { readonly type: 'merge'; readonly path: readonly string[]; readonly value: unknown }
  | { readonly type: 'increment' | 'decrement'; readonly path: readonly string[]; readonly by: number }
  | { readonly type: 'append'; readonly path: readonly string[]; readonly value: unknown }
  | { readonly type: 'remove'; readonly path: readonly string[] };

export type OpType = UpdateOp['type'];

export type ParsedOps =
  | { readonly kind: 'ops'; readonly ops: readonly UpdateOp[] }
  | { readonly kind: 'invalid'; readonly message: string };

/** A skipped operation. The other operations still apply. */
export interface UpdateError {
  readonly op_index: number;
  readonly code: string;
  /** Text with the path of the operation. */
  readonly message: string;
  readonly doc_url: string;
}

/** Page that lists the codes. */
export const UPDATE_ERRORS_URL = 'https://www.npmjs.com/package/@rivulet/engine#update-errors';

const MOST_SEGMENTS = 32;
const MOST_SEGMENT_BYTES = 256;
const MOST_MERGE_KEYS = 1_024;
const MOST_MERGE_DEPTH = 16;
const POLLUTING = new Set(['__proto__', 'constructor', 'prototype']);

/** Reads `ops`. A wrong shape fails the whole call, and no operation applies. */
export function parseUpdateOps(ops: unknown): ParsedOps {
  if (!Array.isArray(ops)) return { kind: 'invalid', message: 'ops must be an array' };
  if (ops.length > LIMITS.updateOps) return { kind: 'invalid', message: `ops must have at most ${LIMITS.updateOps} entries` };
  const parsed: UpdateOp[] = [];
  for (const [index, raw] of ops.entries()) {
    const op = parseOp(raw);
    if (typeof op === 'string') return { kind: 'invalid', message: `ops[${index}]: ${op}` };
    parsed.push(op);
  }
  return { kind: 'ops', ops: parsed };
}

/** Returns the operation, or a text that says what is wrong. A `set` without `value` writes `null`, as in the original (spec SA §3.3). */
function parseOp(raw: unknown): UpdateOp | string {
  if (!isJsonObject(raw)) return 'must be an object';
  const type = field(raw, 'type');
  const path = parsePath(raw, type === 'merge' || type === 'append');
  if (path === undefined) return 'path must be a string, or an array of strings for merge and append';
  const value = field(raw, 'value') ?? null;
  switch (type) {
    case 'set':
      return { type, path, value };
    case 'merge':
    case 'append':
      return Object.hasOwn(raw, 'value') ? { type, path, value } : 'value is required';
    case 'increment':
    case 'decrement': {
      const by = field(raw, 'by');
      return typeof by === 'number' && Number.isFinite(by) ? { type, path, by } : 'by must be a finite number';
    }
    case 'remove':
      return { type, path };
    default:
      return `unknown type ${JSON.stringify(type)?.slice(0, 64)}`;
  }
}

/** Returns a path. One string is one key, without dot notation. Absent, `null`, `""` and `[]` are the root. */
function parsePath(raw: JsonObject, arrays: boolean): readonly string[] | undefined {
  const path = field(raw, 'path') ?? '';
  if (typeof path === 'string') return path === '' ? [] : [path];
  if (!arrays || !Array.isArray(path) || !path.every((segment) => typeof segment === 'string')) return undefined;
  return path as readonly string[];
}

/** Returns the first limit that an operation exceeds, in the order of the specification; `undefined` when it exceeds none. */
export function exceededLimit(op: UpdateOp): { readonly code: string; readonly message: string } | undefined {
  if (op.path.length > MOST_SEGMENTS) return exceeded(op, 'path.too_deep', `a path has at most ${MOST_SEGMENTS} segments`);
  for (const segment of op.path) {
    if (segment === '') return exceeded(op, 'path.empty_segment', 'a path segment must not be empty');
    if (utf8Length(segment) > MOST_SEGMENT_BYTES) {
      return exceeded(op, 'path.segment_too_long', `a path segment has at most ${MOST_SEGMENT_BYTES} UTF-8 bytes`);
    }
    if (POLLUTING.has(segment)) return exceeded(op, 'path.proto_polluted', `a path segment must not be ${segment}`);
  }
  return op.type === 'merge' ? exceededByMerge(op.value) : undefined;
}

function exceededByMerge(value: unknown): { readonly code: string; readonly message: string } | undefined {
  const merge = { type: 'merge' } as const;
  if (!isJsonObject(value)) return exceeded(merge, 'value.not_an_object', 'the value of a merge must be an object');
  const keys = Object.keys(value);
  if (keys.length > MOST_MERGE_KEYS)
    return exceeded(merge, 'value.too_many_keys', `the value of a merge has at most ${MOST_MERGE_KEYS} keys`);
  if (keys.some((key) => POLLUTING.has(key)))
    return exceeded(merge, 'value.proto_polluted', 'the value of a merge has a key that is not allowed');
  if (depthOf(value) > MOST_MERGE_DEPTH)
    return exceeded(merge, 'value.too_deep', `the value of a merge is at most ${MOST_MERGE_DEPTH} levels deep`);
  return undefined;
}

function exceeded(op: { readonly type: OpType }, what: string, message: string): { readonly code: string; readonly message: string } {
  return { code: `${op.type}.${what}`, message };
}

/** Returns the nesting of objects and arrays; a scalar is 0. The decoder bounds the input, so it bounds the recursion too. */
export function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let deepest = 0;
  for (const child of Object.values(value)) deepest = Math.max(deepest, depthOf(child));
  return deepest + 1;
}
