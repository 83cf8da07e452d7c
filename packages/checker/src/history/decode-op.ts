import { isJsonObject, type JsonObject } from '@rivulet/protocol';
import { NEMESIS_VERBS, type Op } from './op.js';

/** A line that is no operation, and the reason. */
export interface BadLine {
  readonly line: number;
  readonly reason: string;
}

export type DecodedOp = { readonly kind: 'op'; readonly op: Op } | { readonly kind: 'bad'; readonly reason: string };

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string';
const offset: Check = (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const flag: Check = (value) => typeof value === 'boolean';
const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && values.includes(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

const shownItem: Check = (value) => Array.isArray(value) && value.length === 3 && text(value[0]) && text(value[1]) && offset(value[2]);
const effect = oneOf('create', 'update', 'delete', 'event');
const batchWrite: Check = (value) => isJsonObject(value) && text(value.k) && optional(text)(value.v);
const figures: Check = (value) =>
  isJsonObject(value) && Object.values(value).every((each) => typeof each === 'number' && Number.isFinite(each));

const place = { g: text, e: text, s: offset };
const answer = { e: optional(text), s: optional(offset) };
const state = { ...place, n: offset, hash: text, items: optional(listOf(shownItem)), loose: optional(flag) };
const write = { g: text, k: optional(text), v: optional(text), ...answer, unchanged: optional(flag), replayed: optional(flag) };
const item = { item: optional(text) };
const join = { g: text, who: text, ...item, ...answer };
const grant = { who: text, g: text };
const call = { call: text, v: optional(text) };
const member = { sub: text };

/** Fields of each kind of operation, besides number, time, process and stage. */
const SHAPES: { readonly [F in Op['f']]: Readonly<Record<string, Check>> } = {
  set: write,
  update: write,
  delete: write,
  send: write,
  batch: { g: text, writes: listOf(batchWrite), first: optional(offset), ...answer },
  read: { g: text, k: text, v: optional(text) },
  commit: { ...place, op: effect, k: optional(text), v: optional(text), created: optional(offset) },
  recv: {
    ...place,
    op: effect,
    k: optional(text),
    v: optional(text),
    ...item,
    via: oneOf('sdk', 'wire'),
    ts: optional(offset),
    compacted: optional(flag),
    through: optional(offset),
  },
  snapshot: { ...state, ...item, ts: optional(offset), reset: optional(text) },
  mirror: { ...state, ...item },
  final: { ...state, changed: optional(listOf(offset)) },
  resumed: { g: text, e: text, mode: oneOf('tail', 'changes'), from: offset, to: offset, ...item },
  caught_up: { ...place, ...item },
  gap: { g: text, after: offset, through: offset },
  join,
  close: join,
  grant,
  revoke: grant,
  call,
  exec: call,
  answer: call,
  entered: member,
  left: member,
  nemesis: { verb: oneOf(...NEMESIS_VERBS), on: optional(text), with: optional(text) },
  sample: { values: figures },
};

const HEAD: Readonly<Record<string, Check>> = { i: offset, t: offset, p: text, type: oneOf('invoke', 'ok', 'fail', 'info') };

/** Decodes any text. A text that is no operation becomes a `BadLine`. */
export function decodeOp(line: string): DecodedOp {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { kind: 'bad', reason: 'not JSON' };
  }
  if (!isJsonObject(value)) return { kind: 'bad', reason: 'not an object' };
  if (typeof value.f !== 'string' || !Object.hasOwn(SHAPES, value.f)) return { kind: 'bad', reason: 'f names no operation' };
  const wrong = wrongField(value, HEAD) ?? wrongField(value, SHAPES[value.f as Op['f']]);
  if (wrong !== undefined) return { kind: 'bad', reason: `${wrong} is missing or wrong` };
  return isOp(value) ? { kind: 'op', op: value } : { kind: 'bad', reason: 'fields beyond those of its kind' };
}

function wrongField(value: JsonObject, shape: Readonly<Record<string, Check>>): string | undefined {
  return Object.keys(shape).find((name) => shape[name]?.(Object.hasOwn(value, name) ? value[name] : undefined) !== true);
}

/** Returns whether the object has no fields besides those that were checked. */
function isOp(value: JsonObject): value is JsonObject & Op {
  const shape = SHAPES[value.f as Op['f']];
  return Object.keys(value).every((name) => name === 'f' || Object.hasOwn(HEAD, name) || Object.hasOwn(shape, name));
}

/** Reads all lines of a history: the operations in their order, and the invalid lines. Empty lines are ignored. */
export function readHistory(textOfHistory: string): { readonly ops: readonly Op[]; readonly bad: readonly BadLine[] } {
  const ops: Op[] = [];
  const bad: BadLine[] = [];
  let line = 0;
  for (const each of textOfHistory.split('\n')) {
    line++;
    if (each.trim() === '') continue;
    const decoded = decodeOp(each);
    if (decoded.kind === 'op') ops.push(decoded.op);
    else bad.push({ line, reason: decoded.reason });
  }
  return { ops, bad };
}
