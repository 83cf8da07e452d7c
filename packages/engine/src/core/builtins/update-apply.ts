import { canBeSentBack, excerpt, isJsonObject, type JsonText, LIMITS } from '@rivulet/protocol';
import type { ParsedValues } from './parsed-values.js';
import { requireStorable } from './stored-value.js';
import { depthOf, exceededLimit, UPDATE_ERRORS_URL, type UpdateError, type UpdateOp } from './update-ops.js';

export interface AppliedOps {
  /** The value after the operations; `undefined` while the item is still missing. */
  readonly text: JsonText | undefined;
  /** False when the store has nothing to write. */
  readonly changed: boolean;
  readonly errors: readonly UpdateError[];
}

/** The root after an operation, or the reason why the operation was skipped and changed nothing. */
type Step = { readonly value: unknown } | { readonly failed: string };
type Fields = Record<string, unknown>;

/** Segments of a path that a message shows. */
const SEGMENTS_SHOWN = 8;

/** Deepest value that may be stored. Four levels are left for the frame around it, so that the decoder takes the value back. */
const MOST_DEPTH = LIMITS.jsonDepth - 4;

/**
 * Applies operations to one value, each to the result of the one before. A failing operation is skipped and reported. The function is pure,
 * so a store may run it more than once.
 *
 * A missing item starts as an empty object. The object counts as fresh until an operation changes it. Operations that find nothing to do
 * leave the item missing.
 *
 * All operations together cost the value once and each operation once. Every container of the value belongs to this update: it comes from
 * the parse of the text, or from the copy of an operation's value. Operations therefore change it in place.
 *
 * @param parsed May hold the parsed value of `old`. It keeps the value after the operations. Throws VALUE_TOO_LARGE when the result is more
 * than an item may hold.
 */
export function applyUpdateOps(old: JsonText | undefined, ops: readonly UpdateOp[], parsed?: ParsedValues): AppliedOps {
  const kept = old === undefined ? undefined : parsed?.take(old);
  // oxlint-disable-next-line eslint/no-restricted-properties -- stored values are JSON; a throw fails this one update
  const start: unknown = kept !== undefined ? kept.value : old === undefined ? {} : JSON.parse(old);
  let value = start;
  let fresh = old === undefined;
  const errors: UpdateError[] = [];
  for (const [index, op] of ops.entries()) {
    const limit = exceededLimit(op);
    const step = limit === undefined ? apply(value, op, fresh) : { failed: limit.code };
    if ('failed' in step) {
      const message = `${limit?.message ?? failureText(step.failed)}; path: ${shownPath(op.path)}`;
      errors.push({ op_index: index, code: step.failed, message, doc_url: UPDATE_ERRORS_URL });
      continue;
    }
    value = step.value;
    fresh &&= value === start && Object.keys(start as Fields).length === 0;
  }
  if (fresh) return { text: undefined, changed: false, errors };
  const text = JSON.stringify(value);
  const changed = text !== old;
  if (changed) requireStorable(text);
  parsed?.keep(text, value);
  return { text, changed, errors };
}

function apply(value: unknown, op: UpdateOp, fresh: boolean): Step {
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
  if (key !== undefined && !isFields(value)) return { failed: 'set.target_not_object' };
  if (!fitsBelow(path.length, next)) return { failed: 'set.result_too_deep' };
  if (key === undefined) return { value: copyOf(next) };
  (value as Fields)[key] = copyOf(next);
  return { value };
}

function remove(value: unknown, path: readonly string[]): Step {
  const [key] = path;
  if (key === undefined) return { value: null };
  if (!isFields(value)) return { failed: 'remove.target_not_object' };
  delete value[key];
  return { value };
}

function add(value: unknown, path: readonly string[], by: number, type: 'increment' | 'decrement', fresh: boolean): Step {
  const [key] = path;
  if (key === undefined) return fresh ? { value: by } : sum(value, by, type);
  if (!isFields(value)) return { failed: `${type}.target_not_object` };
  const step = Object.hasOwn(value, key) ? sum(value[key], by, type) : { value: by };
  if ('failed' in step) return step;
  value[key] = step.value;
  return { value };
}

/** From here on doubles have no fractions, so adding a fraction would round to a whole number. */
const WHOLE_FROM = 2 ** 52;

function sum(value: unknown, by: number, type: string): Step {
  const failed = { failed: `${type}.not_number` };
  if (typeof value !== 'number') return failed;
  const result = value + by;
  // A small number added to a large double may change nothing.
  const isLost = by !== 0 && (result === value || (Math.abs(result) >= WHOLE_FROM && !Number.isInteger(by) && result - value !== by));
  return isLost || !canBeSentBack(result) ? failed : { value: result };
}

/** Merges fields. The result is never too deep: the bounds of a path and of a merge value add up to less than that of a message. */
function merge(value: unknown, path: readonly string[], fields: Fields): Step {
  if (path.length === 0 && !isFields(value)) return { failed: 'merge.target_not_object' };
  // A nested merge replaces every value on its path that is not an object, the root included.
  const root = isFields(value) ? value : {};
  const target = objectAt(root, path);
  for (const [key, next] of Object.entries(fields)) target[key] = copyOf(next);
  return { value: root };
}

function append(value: unknown, path: readonly string[], addition: unknown, fresh: boolean): Step {
  if (path.length > 0 && !isFields(value)) return { failed: 'append.target_not_object' };
  const leaf = path.length === 0 && fresh ? undefined : find(value, path);
  if (!takes(leaf, addition)) return { failed: 'append.type_mismatch' };
  if (typeof addition !== 'string' && !fitsBelow(path.length + 1, addition)) return { failed: 'append.result_too_deep' };
  if (Array.isArray(leaf)) {
    leaf.push(copyOf(addition));
    return { value };
  }
  // A missing leaf of a longer path always becomes an array.
  const next = typeof addition === 'string' && (leaf !== undefined || path.length < 2) ? `${textOf(leaf)}${addition}` : [copyOf(addition)];
  const key = path.at(-1);
  if (key === undefined) return { value: next };
  objectAt(value as Fields, path.slice(0, -1))[key] = next;
  return { value };
}

/** Returns whether a leaf can be appended to. An array takes any value, a string takes a string, and a missing or null leaf begins anew. */
function takes(leaf: unknown, addition: unknown): boolean {
  if (leaf === undefined || leaf === null || Array.isArray(leaf)) return true;
  return typeof leaf === 'string' && typeof addition === 'string';
}

function textOf(leaf: unknown): string {
  return typeof leaf === 'string' ? leaf : '';
}

/** Returns the value at a path; `undefined` when there is none. */
function find(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const key of path) {
    if (!isFields(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/**
 * Returns the object at a path. Missing values and values that are no objects become empty objects on the way. No key is `__proto__`
 * ({@link exceededLimit}), so a plain assignment makes an own property.
 */
function objectAt(root: Fields, path: readonly string[]): Fields {
  let at = root;
  for (const key of path) {
    const next = Object.hasOwn(at, key) ? at[key] : undefined;
    const child: Fields = isFields(next) ? next : {};
    at[key] = child;
    at = child;
  }
  return at;
}

/** Returns whether a value fits below a path. The value before is within the bounds, so only the new value can be too deep. */
function fitsBelow(levels: number, value: unknown): boolean {
  return levels + depthOf(value) <= MOST_DEPTH;
}

/** Returns a copy of an operation's value. The operation keeps its own value, because it may apply again and may put it in two places. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (!isFields(value)) return value;
  // Unlike an assignment, this makes an own property of `__proto__` too.
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, copyOf(child)]));
}

function isFields(value: unknown): value is Fields {
  return isJsonObject(value);
}

/** Returns the path of an operation for a message, shortened. */
function shownPath(path: readonly string[]): string {
  const [only = '', ...more] = path;
  if (more.length === 0) return JSON.stringify(excerpt(only));
  const shown = path.slice(0, SEGMENTS_SHOWN).map((segment) => JSON.stringify(excerpt(segment)));
  return `[${shown.join(',')}${path.length > SEGMENTS_SHOWN ? ',…' : ''}]`;
}

function failureText(code: string): string {
  const [type, problem = ''] = code.split('.');
  switch (problem) {
    case 'target_not_object':
      return `${type} needs an object at the root; set the root first`;
    case 'not_number':
      return `${type} needs a number at its path, and a result that a double holds exactly (integers up to 2^53−1)`;
    case 'type_mismatch':
      return 'append needs an array, or a string for a string';
    default:
      return `${type} would make the value deeper than ${MOST_DEPTH} levels`;
  }
}
