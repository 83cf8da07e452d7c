import type { Call, Outcome } from './invocation.js';
import type { SpanEnd, SpanSubject } from './tracing.js';

/** Returns the subject of a call's span. */
export function callSubject(call: Call, isTrusted: boolean): SpanSubject {
  const { functionId, namespace, caller, from = 'engine' } = call;
  const by = caller?.card?.fields.kind === 'page' ? 'page' : 'worker';
  return { kind: 'call', functionId, isTrusted, namespace, caller: caller === undefined ? from : by, workerId: caller?.workerId };
}

/** Returns how a span ends with an outcome. */
export function endOf(outcome: Outcome | { readonly kind: 'timeout' | 'skipped' }): SpanEnd {
  switch (outcome.kind) {
    case 'result':
      return { outcome: 'ok' };
    case 'error':
      return { outcome: 'error', code: outcome.error.code };
    case 'skipped':
      return { outcome: 'skipped' };
    case 'timeout':
      return { outcome: 'error', code: 'TIMEOUT' };
    default:
      return outcome satisfies never;
  }
}
