import { type CallerCard, withKey } from '../fabric/caller-card.js';
import { type Call, JsonPayload } from '../fabric/invocation.js';
import { withoutCaller } from './caller-data.js';

/** The call that a middleware decides about. */
export interface ForwardedCall {
  readonly functionId: string;
  readonly payload: unknown;
  /** @default null */
  readonly action?: unknown;
  readonly namespace?: string | undefined;
}

/** The caller of that call. */
export interface ForwardedCaller {
  readonly context: unknown;
  /** `undefined` for a trusted worker. */
  readonly card: CallerCard | undefined;
  readonly idempotencyKey?: string | undefined;
}

/** Returns the call of a middleware. The engine makes it, so it has no caller, and no permission applies. */
export function middlewareCall(
  middleware: string,
  { functionId, payload, action = null, namespace }: ForwardedCall,
  by: ForwardedCaller,
): Call {
  const { context, card, idempotencyKey } = by;
  const input = {
    function_id: functionId,
    payload: withoutCaller(payload),
    action,
    context,
    ...(card === undefined ? {} : { _caller: withKey(card.fields, idempotencyKey) }),
    ...(namespace === undefined ? {} : { namespace }),
  };
  return { functionId: middleware, payload: JsonPayload.ofValue(input), deciding: true };
}
