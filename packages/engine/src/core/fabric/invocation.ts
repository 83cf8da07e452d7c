import { type ErrorBody, type ErrorCode, type JsonText, parseJson } from '@rivulet/protocol';
import type { CallerCard } from './caller-card.js';
import type { Span } from './tracing.js';

/** A JSON value. It is parsed or encoded at most once, and only when a reader needs that form. */
export class JsonPayload {
  #value: unknown;
  #text: JsonText | undefined;
  #parsed: boolean;

  private constructor(value: unknown, text: JsonText | undefined, parsed: boolean) {
    this.#value = value;
    this.#text = text;
    this.#parsed = parsed;
  }

  /**
   * Returns a payload of a parsed value. `undefined` becomes `null`. The value must come from JSON, and the caller must not change it
   * afterwards.
   */
  static ofValue(value: unknown): JsonPayload {
    return new JsonPayload(value ?? null, undefined, true);
  }

  static ofText(text: JsonText): JsonPayload {
    return new JsonPayload(undefined, text, false);
  }

  get value(): unknown {
    if (!this.#parsed) {
      this.#value = parseJson(this.#text as string);
      this.#parsed = true;
    }
    return this.#value;
  }

  get text(): JsonText {
    this.#text ??= JSON.stringify(this.#value);
    return this.#text;
  }
}

export interface Failure {
  readonly kind: 'error';
  readonly error: ErrorBody;
  /** The source of the error: the function that ran, or the engine when the function was not called or did not answer. */
  readonly origin: 'function' | 'engine';
  readonly traceparent?: string;
  readonly baggage?: string;
}

/** The end of a call. An undefined `text` means no result, so the answer has no key `result`. The text `null` is a result of null. */
export type Outcome =
  | { readonly kind: 'result'; readonly text: JsonText | undefined; readonly traceparent?: string; readonly baggage?: string }
  | Failure;

/** One call of a function. */
export interface Call {
  readonly functionId: string;
  /** Namespace in which a worker must have registered the function. Engine functions are found from all namespaces. @default 'default' */
  readonly namespace?: string | undefined;
  readonly payload: JsonPayload;
  /** Second argument of the function, beside the payload; `undefined`: none. */
  readonly metadata?: unknown;
  readonly traceparent?: string | undefined;
  readonly baggage?: string | undefined;
  /** The worker that calls. Absent when the engine itself calls for a trigger, an auth decision or a condition. */
  readonly caller?: Caller | undefined;
  /** Key of the call for the function, to pass on to writes; only calls of pages have one. @default undefined */
  readonly idempotencyKey?: string | undefined;
  /** Reason of a call by the engine itself. It is read only without `caller`. @default 'engine' */
  readonly from?: 'http' | 'trigger' | 'engine';
  /** Worker to prefer when it has registered the function (affinity, spec WP §1.7). */
  readonly preferWorker?: string | undefined;
  /**
   * True when the answer decides about others: who gets in, what is registered, what a request may do. The engine then ignores functions of
   * guests, unless the auth function of the guest names the id in `allowed_functions`.
   */
  readonly deciding?: boolean;
  /** True when the input held numbers that JSON text can't carry exactly. */
  readonly inexactNumbers?: boolean;
  /** The parent of the call's span. A handler and a worker's session get the span of the call itself. Absent without tracing. */
  readonly span?: Span | undefined;
}

export interface Caller {
  readonly workerId: string;
  /** SDK version of the announcement; `undefined` before it. */
  readonly version: string | undefined;
  /** Largest message in bytes that this caller takes. */
  readonly maxMessageBytes: number;
  /** Permissions of a guest or a page; `undefined` for a trusted worker, which may call everything. */
  readonly access?: CallerAccess | undefined;
  /** Name of a guest or a page for `_caller`; `undefined` for trusted workers. */
  readonly card?: CallerCard | undefined;
}

export interface CallerAccess {
  /** Returns whether the caller may call a function. @default namespace 'default' */
  mayCall(functionId: string, namespace?: string): boolean;
  /** The grant of the auth function. Middleware and hooks get its context. */
  readonly grant: { readonly context: unknown };
}

/**
 * A function of the engine. It should return its outcome synchronously where it can. A `RivuletError` that it throws becomes the outcome.
 */
export type BuiltinHandler = (call: Call) => Outcome | Promise<Outcome>;

/** Returns the message for a function that a guest may not call. It is the same for a function that nobody has registered. */
export function forbiddenText(functionId: string): string {
  return `function ${functionId} is not allowed for this session; add it to rbac.expose_functions of the listener`;
}

/** Returns an error of the engine as the outcome of a call. */
export function failure(code: ErrorCode, message: string): Failure {
  return { kind: 'error', error: { code, message }, origin: 'engine' };
}
