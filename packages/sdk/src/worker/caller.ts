import { field, type Invocation, isJsonObject, type JsonObject, stringField } from '@rivulet/protocol';
import type { FunctionCaller } from '../api/types.js';

/**
 * Returns the caller, as the engine describes it. The `caller` of the frame counts first. Without it the caller is a trusted worker. Then
 * the payload has the id of the worker, and the `_caller` of the guest or the page for which it acts. The engine has checked both.
 */
export function callerOf({ caller, data }: Invocation): FunctionCaller {
  if (isJsonObject(caller)) return namedBy(caller);
  if (!isJsonObject(data)) return { kind: 'worker', worker_id: undefined };
  const handedOn = field(data, '_caller');
  if (isJsonObject(handedOn)) return namedBy(handedOn);
  return { kind: 'worker', worker_id: stringField(data, '_caller_worker_id') };
}

/** Returns the input of the function. A page may call with another payload than an object; the engine sends such a payload as a member. */
export function inputOf({ data, isWrapped }: Invocation): unknown {
  return isWrapped === true && isJsonObject(data) ? field(data, 'value') : data;
}

/** Reads a caller. An unknown kind counts as a guest without a name, which has the fewest permissions. */
function namedBy(caller: JsonObject): FunctionCaller {
  const kind = field(caller, 'kind');
  if (kind === 'http' || kind === 'trigger' || kind === 'engine') return { kind };
  if (kind === 'worker') return { kind, worker_id: stringField(caller, 'worker_id') };
  const session = {
    session_id: stringField(caller, 'session_id') ?? null,
    identity: stringField(caller, 'identity') ?? null,
    context: field(caller, 'context') ?? {},
  };
  if (kind === 'page') return { kind, worker_id: null, ...session, idempotency_key: stringField(caller, 'idempotency_key') };
  return { kind: 'guest', worker_id: stringField(caller, 'worker_id') ?? null, ...session };
}
