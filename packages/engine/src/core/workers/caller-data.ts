import { field, isJsonObject, type JsonObject, type JsonText } from '@rivulet/protocol';
import { type CallerCard, UNKNOWN_GUEST } from '../fabric/caller-card.js';
import type { Call } from '../fabric/invocation.js';

const WORKER_KEY = '_caller_worker_id';
const CALLER_KEY = '_caller';

/** The worker that runs the function. */
export interface Callee {
  /** It is a guest, so it gets no context of others. */
  readonly guest: boolean;
  /** Returns the card of a guest session that is open now. */
  readonly cardOf: (sessionId: string) => CallerCard | undefined;
}

/**
 * Returns the payload as a worker gets it. An object carries the id of its caller (spec WP §1.8), and `_caller` when a guest calls. The
 * engine replaces both, whatever the caller wrote there. A trusted worker hands on the `_caller` of a guest that it acts for; the engine
 * takes it only for the session that it names, so that no guest can smuggle another one through a worker.
 */
export function dataFor({ caller, payload }: Call, callee: Callee): JsonText {
  if (caller === undefined) return payload.text;
  const { value } = payload;
  if (!isJsonObject(value)) return payload.text;
  const card = caller.card ?? handedOn(value, callee);
  const written = Object.hasOwn(value, WORKER_KEY) || Object.hasOwn(value, CALLER_KEY);
  // Text is joined to text: a copy of the object, member by member, costs more than its whole encoding.
  const text = written ? JSON.stringify(withoutCaller(value)) : payload.text;
  const own = `"${WORKER_KEY}":"${caller.workerId}"${card === undefined ? '' : `,"${CALLER_KEY}":${textOf(card, callee)}`}}`;
  return text === '{}' ? `{${own}` : `${text.slice(0, -1)},${own}`;
}

/** Returns what the frame of a call says of its caller, beside the payload; `undefined` for calls of trusted workers. */
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
