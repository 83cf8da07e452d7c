import type { Attributes, SpanKind } from '@opentelemetry/api';
import type { SpanSubject } from '../core/fabric/tracing.js';

/** The attributes of spans. docs/tracing.md has the same table, and a test compares them. */
export const ATTRIBUTES = {
  caller: 'rivulet.caller',
  changes: 'rivulet.changes',
  errorType: 'error.type',
  function: 'rivulet.function',
  method: 'http.request.method',
  namespace: 'rivulet.namespace',
  originalMethod: 'http.request.method_original',
  outcome: 'rivulet.outcome',
  path: 'url.path',
  route: 'http.route',
  scheme: 'url.scheme',
  status: 'http.response.status_code',
  stream: 'rivulet.stream',
  trigger: 'rivulet.trigger.id',
  triggerType: 'rivulet.trigger.type',
  worker: 'rivulet.worker_id',
} as const;

/** The values of `SpanKind`. The type alone is imported, so that this file needs no code of the library. */
const INTERNAL = 0 satisfies SpanKind.INTERNAL;
const SERVER = 1 satisfies SpanKind.SERVER;

/** UTF-16 code units of a text in an attribute. The engine cuts a longer one. */
const MOST_CHARS = 1_024;

/** Methods that the semantic conventions of HTTP know. Every other one is `_OTHER`. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY']);

export interface SpanStart {
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: Attributes;
}

/**
 * Returns name, kind and attributes of a span. Backends keep statistics for each name, so a name contains only functions and routes of
 * trusted workers, and trigger types. A text that a peer may choose freely is an attribute.
 */
export function startOf(subject: SpanSubject): SpanStart {
  switch (subject.kind) {
    case 'call': {
      const { functionId, namespace, caller, workerId } = subject;
      const attributes = textsOf({ function: functionId, namespace, caller, worker: workerId });
      return {
        name: subject.isTrusted ? `call ${shortened(functionId)}` : 'call',
        kind: caller === 'worker' || caller === 'page' ? SERVER : INTERNAL,
        attributes,
      };
    }
    case 'write': {
      const { operation, stream, changes } = subject;
      return { name: operation, kind: INTERNAL, attributes: { ...textsOf({ stream }), [ATTRIBUTES.changes]: changes } };
    }
    case 'trigger': {
      const { type, id, functionId } = subject;
      return {
        name: `trigger ${shortened(type)}`,
        kind: INTERNAL,
        attributes: textsOf({ triggerType: type, trigger: id, function: functionId }),
      };
    }
    case 'request': {
      const { method, path } = subject;
      const isKnown = METHODS.has(method);
      const originalMethod = isKnown ? undefined : method;
      const attributes = textsOf({ method: isKnown ? method : '_OTHER', originalMethod, path, scheme: 'http' });
      return { name: methodName(method), kind: SERVER, attributes };
    }
    default:
      return subject satisfies never;
  }
}

/** Returns the word for a method in the name of a span. */
export function methodName(method: string): string {
  return METHODS.has(method) ? method : 'HTTP';
}

export function shortened(text: string): string {
  return text.length <= MOST_CHARS ? text : text.slice(0, MOST_CHARS);
}

function textsOf(texts: Partial<Record<keyof typeof ATTRIBUTES, string | undefined>>): Attributes {
  const attributes: Attributes = {};
  for (const [key, text] of Object.entries(texts) as [keyof typeof ATTRIBUTES, string | undefined][])
    if (text !== undefined) attributes[ATTRIBUTES[key]] = shortened(text);
  return attributes;
}
