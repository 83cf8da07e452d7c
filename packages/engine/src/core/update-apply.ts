import { isJsonObject, type JsonText, LIMITS } from '@rivulet/protocol';
import { depthOf, exceededLimit, type UpdateError, type UpdateOp } from './update-ops.js';

export interface AppliedOps {
  /** The value after; `undefined` when there is still none. */
  readonly text: JsonText | undefined;
  /** False when nothing needs to be written. */
  readonly changed: boolean;
  readonly errors: readonly UpdateError[];
}

type Step = { readonly value: unknown } | { readonly failed: string };
type Fields = Record<string, unknown>;

/** Envelope of a frame around a stored value: what may be stored must still fit the decoder's depth when it comes back. */
const MOST_DEPTH = LIMITS.jsonDepth - 4;

/**
 * Applies operations to one value, each to the result of the one before; one that fails is skipped and reported. Pure: it works on a
 * copy of its own and may run more than once. A missing item starts as an empty object, which counts as *fresh* until an op succeeds.
 */
export function applyUpdateOps(old: JsonText | undefined, ops: readonly UpdateOp[]): AppliedOps {
  let value: unknown = old === undefined ? {} : JSON.parse(old);
  let fresh = old === undefined;
  const errors: UpdateError[] = [];
  for (const [index, op] of ops.entries()) {
    const limit = exceededLimit(op);
    const step = limit === undefined ? apply(value, op, fresh) : { failed: limit.code };
    if ('failed' in step) {
      errors.push({ op_index: index, code: step.failed, message: limit?.message ?? messageOf(step.failed) });
      continue;
    }
    value = step.value;
    fresh = false;
  }
  if (fresh) return { text: undefined, changed: false, errors };
  const text = JSON.stringify(value);
  return { text, changed: text !== old, errors };
}

function apply(value: unknown, op: UpdateOp, fresh: boolean): Step {
  const step = applyUnbounded(value, op, fresh);
  if ('failed' in step || depthOf(step.value) <= MOST_DEPTH) return step;
  return { failed: `${op.type}.result_too_deep` };
}

function applyUnbounded(value: unknown, op: UpdateOp, fresh: boolean): Step {
  switch (op.type) {
    case 'set':
      return set(value, op.path, op.value);
    case 'remove':
      return remove(value, op.path);
    case 'increment':
      return add(value, op.path, op.by, op.type, fresh);
    case 'decrement':
      return add(value, op.path, -op.by, op.type, fresh);
    case 'merge':
      return merge(value, op.path, op.value as Fields);
    case 'append':
      return append(value, op.path, op.value, fresh);
    default:
      return op satisfies never;
  }
}

function set(value: unknown, path: readonly string[], next: unknown): Step {
  const [key] = path;
  if (key === undefined) return { value: next };
  if (!isJsonObject(value)) return { failed: 'set.target_not_object' };
  return { value: withKey(value, key, next) };
}

function remove(value: unknown, path: readonly string[]): Step {
  const [key] = path;
  if (key === undefined) return { value: null };
  if (!isJsonObject(value)) return { failed: 'remove.target_not_object' };
  const { [key]: _, ...rest } = value;
  return { value: rest };
}

function add(value: unknown, path: readonly string[], by: number, type: 'increment' | 'decrement', fresh: boolean): Step {
  const [key] = path;
  if (key === undefined) return fresh ? { value: by } : sum(value, by, type);
  if (!isJsonObject(value)) return { failed: `${type}.target_not_object` };
  if (!Object.hasOwn(value, key)) return { value: withKey(value, key, by) };
  const step = sum(value[key], by, type);
  return 'failed' in step ? step : { value: withKey(value, key, step.value) };
}

function sum(value: unknown, by: number, type: string): Step {
  if (typeof value !== 'number' || !Number.isFinite(value + by)) return { failed: `${type}.not_number` };
  return { value: value + by };
}

function merge(value: unknown, path: readonly string[], fields: Fields): Step {
  const [key, ...rest] = path;
  if (key === undefined) {
    if (!isJsonObject(value)) return { failed: 'merge.target_not_object' };
    return { value: { ...value, ...fields } };
  }
  // Whatever stands in the way of a nested merge becomes an object, the root too.
  const base: Fields = isJsonObject(value) ? value : {};
  const child = Object.hasOwn(base, key) && isJsonObject(base[key]) ? base[key] : {};
  const step = merge(child, rest, fields);
  return 'failed' in step ? step : { value: withKey(base, key, step.value) };
}

function append(value: unknown, path: readonly string[], addition: unknown, fresh: boolean): Step {
  const [key, ...rest] = path;
  if (key === undefined) return fresh || value === null ? { value: begin(addition) } : appendTo(value, addition);
  if (!isJsonObject(value)) return { failed: 'append.target_not_object' };
  if (rest.length === 0) {
    const leaf = Object.hasOwn(value, key) ? value[key] : null;
    const step = leaf === null ? { value: begin(addition) } : appendTo(leaf, addition);
    return 'failed' in step ? step : { value: withKey(value, key, step.value) };
  }
  return appendNested(value, path, addition);
}

/** Parents are created as by `merge`; a missing leaf always becomes an array. */
function appendNested(value: unknown, path: readonly string[], addition: unknown): Step {
  const [key, ...rest] = path as [string, ...string[]];
  const base: Fields = isJsonObject(value) ? value : {};
  const present = Object.hasOwn(base, key);
  let step: Step;
  if (rest.length > 0) step = appendNested(present ? base[key] : {}, rest, addition);
  else if (!present) step = { value: [addition] };
  else step = base[key] === null ? { value: begin(addition) } : appendTo(base[key], addition);
  return 'failed' in step ? step : { value: withKey(base, key, step.value) };
}

function begin(addition: unknown): unknown {
  return typeof addition === 'string' ? addition : [addition];
}

function appendTo(leaf: unknown, addition: unknown): Step {
  if (Array.isArray(leaf)) return { value: [...(leaf as unknown[]), addition] };
  if (typeof leaf === 'string' && typeof addition === 'string') return { value: leaf + addition };
  return { failed: 'append.type_mismatch' };
}

/** A copy with one key replaced or added last. A computed key defines an own property even for `__proto__`. */
function withKey(object: Fields, key: string, value: unknown): Fields {
  return { ...object, [key]: value };
}

function messageOf(code: string): string {
  const [type, problem = ''] = code.split('.');
  switch (problem) {
    case 'target_not_object':
      return `${type} needs an object there; set the root first`;
    case 'not_number':
      return `${type} needs a number there, and a finite result`;
    case 'type_mismatch':
      return 'append needs an array, or a string for a string';
    default:
      return `${type} would make the value deeper than ${MOST_DEPTH} levels`;
  }
}
