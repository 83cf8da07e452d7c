import { isJsonObject, type JsonObject, type JsonText, LIMITS, stringField } from '@rivulet/protocol';
import { type CallerCard, UNKNOWN_GUEST } from '../fabric/caller-card.js';
import type { Call } from '../fabric/invocation.js';

const WORKER_KEY = '_caller_worker_id';
const CALLER_KEY = '_caller';

/** The worker that runs the function. */
export interface Callee {
  /** True when the worker is a guest. A guest gets no context of other guests. */
  readonly guest: boolean;
  /** Returns the card of a guest session, or of a page that has called a function, that is open now. */
  readonly cardOf: (sessionId: string) => CallerCard | undefined;
}

/**
 * Returns the payload as a worker gets it. An object carries the id of its caller (spec WP §1.8), and `_caller` when a guest calls. The
 * engine overwrites both, so that no caller can forge them. A page has no id of a worker, and its payload always has `_caller`: another
 * payload than an object becomes `{ value, _caller }`.
 *
 * A trusted worker that acts for a guest or a page may pass on the `_caller` that it got. The engine then writes the card of the session
 * that it names. A guest can therefore not pass on another guest's name through a worker.
 */
export function dataFor(call: Call, callee: Callee): JsonText {
  const { caller, payload } = call;
  if (caller === undefined) return payload.text;
  const { value } = payload;
  const isPage = caller.card?.fields.kind === 'page';
  if (!isJsonObject(value))
    return isPage ? `{"value":${payload.text},${callerMember(caller.card, callee, call.idempotencyKey)}}` : payload.text;
  const passedOn = caller.card === undefined ? readPassedOn(value, callee) : undefined;
  const card = caller.card ?? passedOn?.card;
  const written = Object.hasOwn(value, WORKER_KEY) || Object.hasOwn(value, CALLER_KEY);
  // Joining texts is cheaper than copying the object member by member, which costs more than its whole encoding.
  const text = written ? JSON.stringify(withoutCaller(value)) : payload.text;
  const worker = isPage ? '' : `"${WORKER_KEY}":"${caller.workerId}"${card === undefined ? '' : ','}`;
  const own = `${worker}${card === undefined ? '' : callerMember(card, callee, call.idempotencyKey ?? passedOn?.key)}}`;
  return text === '{}' ? `{${own}` : `${text.slice(0, -1)},${own}`;
}

/** Returns whether the payload of a page stands in the member `value`. */
export function isWrapped({ caller, payload }: Call): boolean {
  return caller?.card?.fields.kind === 'page' && !isJsonObject(payload.value);
}

/** Returns the caller for the call's frame, beside the payload; `undefined` for calls of trusted workers. */
export function callerFor({ caller, from = 'engine', idempotencyKey }: Call, callee: Callee): JsonText | undefined {
  if (caller === undefined) return ENGINE_CALLERS[from];
  return caller.card === undefined ? undefined : textOf(caller.card, callee, idempotencyKey);
}

/** Returns a value without the members that only the engine may write. */
export function withoutCaller(value: unknown): unknown {
  if (!isJsonObject(value) || !(Object.hasOwn(value, WORKER_KEY) || Object.hasOwn(value, CALLER_KEY))) return value;
  const { [WORKER_KEY]: _worker, [CALLER_KEY]: _caller, ...rest } = value;
  return rest;
}

const ENGINE_CALLERS = { http: '{"kind":"http"}', trigger: '{"kind":"trigger"}', engine: '{"kind":"engine"}' } as const;

function callerMember(card: CallerCard | undefined, callee: Callee, key: string | undefined): string {
  return `"${CALLER_KEY}":${textOf(card ?? UNKNOWN_GUEST, callee, key)}`;
}

function textOf(card: CallerCard, { guest }: Callee, key?: string): JsonText {
  const text = guest ? card.brief : card.full;
  return key === undefined ? text : `${text.slice(0, -1)},"idempotency_key":${JSON.stringify(key)}}`;
}

/** Returns the caller that a trusted worker passes on, with the key of the call that the worker runs for it. */
function readPassedOn(value: JsonObject, { cardOf }: Callee): { readonly card: CallerCard; readonly key: string | undefined } | undefined {
  if (!Object.hasOwn(value, CALLER_KEY)) return undefined;
  const given = value[CALLER_KEY];
  const sessionId = isJsonObject(given) ? stringField(given, 'session_id') : undefined;
  const key = isJsonObject(given) ? stringField(given, 'idempotency_key') : undefined;
  // Without a card the function would take the guest for a trusted worker.
  const card = (sessionId === undefined ? undefined : cardOf(sessionId)) ?? UNKNOWN_GUEST;
  return { card, key: card.fields.kind === 'page' && key !== undefined && key.length <= LIMITS.idBytes ? key : undefined };
}
