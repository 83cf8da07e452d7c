import { field, type Invocation, isJsonObject, type JsonObject, stringField } from '@rivulet/protocol';
import type { FunctionCaller } from '../api/types.js';

/**
 * Returns who calls, as the engine says it. The frame counts first. Without it a trusted worker calls; the payload then has its id, and
 * the `_caller` of the guest that it acts for, which the engine has checked.
 */
export function callerOf({ caller, data }: Invocation): FunctionCaller {
  if (isJsonObject(caller)) return namedBy(caller);
  if (!isJsonObject(data)) return { kind: 'worker', worker_id: undefined };
  const handedOn = field(data, '_caller');
  if (isJsonObject(handedOn)) return namedBy(handedOn);
  return { kind: 'worker', worker_id: stringField(data, '_caller_worker_id') };
}

/** A kind that this version does not know counts as a guest without a name, which may do the least. */
function namedBy(caller: JsonObject): FunctionCaller {
  const kind = field(caller, 'kind');
  if (kind === 'http' || kind === 'trigger' || kind === 'engine') return { kind };
  if (kind === 'worker') return { kind, worker_id: stringField(caller, 'worker_id') };
  return {
    kind: 'guest',
    worker_id: stringField(caller, 'worker_id') ?? null,
    session_id: stringField(caller, 'session_id') ?? null,
    identity: stringField(caller, 'identity') ?? null,
    context: field(caller, 'context') ?? {},
  };
}
