import { field, isJsonObject, type JsonObject, type JsonText } from '@rivulet/protocol';
import { type CallerCard, UNKNOWN_GUEST } from '../fabric/caller-card.js';
import type { Call } from '../fabric/invocation.js';

const WORKER_KEY = '_caller_worker_id';
const CALLER_KEY = '_caller';

/** The worker that runs the function. */
export interface Callee {
  /** True when the worker is a guest. A guest gets no context of other guests. */
  readonly guest: boolean;
  /** Returns the card of a guest session that is open now. */
  readonly cardOf: (sessionId: string) => CallerCard | undefined;
}

/**
 * Returns the payload as a worker gets it. An object carries the id of its caller (spec WP §1.8), and `_caller` when a guest calls. The
 * engine overwrites both, so that no caller can forge them.
 *
 * A trusted worker that acts for a guest may pass on that guest's `_caller`. The engine then writes the card of the session that it names.
 * A guest can therefore not pass on another guest's name through a worker.
 */
export function dataFor({ caller, payload }: Call, callee: Callee): JsonText {
  if (caller === undefined) return payload.text;
  const { value } = payload;
  if (!isJsonObject(value)) return payload.text;
  const card = caller.card ?? handedOn(value, callee);
  const written = Object.hasOwn(value, WORKER_KEY) || Object.hasOwn(value, CALLER_KEY);
  // Joining texts is cheaper than copying the object member by member, which costs more than its whole encoding.
  const text = written ? JSON.stringify(withoutCaller(value)) : payload.text;
  const own = `"${WORKER_KEY}":"${caller.workerId}"${card === undefined ? '' : `,"${CALLER_KEY}":${textOf(card, callee)}`}}`;
  return text === '{}' ? `{${own}` : `${text.slice(0, -1)},${own}`;
}

/** Returns the caller for the call's frame, beside the payload; `undefined` for calls of trusted workers. */
export function callerFor({ caller, from = 'engine' }: Call, callee: Callee): JsonText | undefined {
  if (caller === undefined) return ENGINE_CALLERS[from];
  return caller.card === undefined ? undefined : textOf(caller.card, callee);
}

/** Returns a value without the members that only the engine may write. */
export function withoutCaller(value: unknown): unknown {
  if (!isJsonObject(value) || !(Object.hasOwn(value, WORKER_KEY) || Object.hasOwn(value, CALLER_KEY))) return value;
  const { [WORKER_KEY]: _worker, [CALLER_KEY]: _caller, ...rest } = value;
  return rest;
}

const ENGINE_CALLERS = { http: '{"kind":"http"}', trigger: '{"kind":"trigger"}', engine: '{"kind":"engine"}' } as const;

function textOf(card: CallerCard, { guest }: Callee): JsonText {
  return guest ? card.brief : card.full;
}

function handedOn(value: JsonObject, { cardOf }: Callee): CallerCard | undefined {
  if (!Object.hasOwn(value, CALLER_KEY)) return undefined;
  const given = value[CALLER_KEY];
  const sessionId = isJsonObject(given) ? field(given, 'session_id') : undefined;
  // Without a card the function would take the guest for a trusted worker.
  return (typeof sessionId === 'string' ? cardOf(sessionId) : undefined) ?? UNKNOWN_GUEST;
}
