import { type ErrorBody, type ErrorCode, type JsonText, parseJson } from '@rivulet/protocol';
import type { CallerCard } from './caller-card.js';

/** A JSON value that is parsed or written at most once, and only when somebody asks. */
export class JsonPayload {
  #value: unknown;
  #text: JsonText | undefined;
  #parsed: boolean;

  private constructor(value: unknown, text: JsonText | undefined, parsed: boolean) {
    this.#value = value;
    this.#text = text;
    this.#parsed = parsed;
  }

  /** `undefined` becomes `null`. The value must come from JSON and must not be changed afterwards. */
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
  /** Who says so: the function that ran, or the engine, in place of one that was not asked or did not answer. */
  readonly origin: 'function' | 'engine';
  readonly traceparent?: string;
  readonly baggage?: string;
}

/** How a call ended. `text` undefined: no result (the answer has no `result` key); the text `null` is a result of null. */
export type Outcome =
  | { readonly kind: 'result'; readonly text: JsonText | undefined; readonly traceparent?: string; readonly baggage?: string }
  | Failure;

/** One call of a function, whoever makes it. */
export interface Call {
  readonly functionId: string;
  /** The namespace in which a worker must have registered the function. Default: `default`. Engine functions are found from all. */
  readonly namespace?: string | undefined;
  readonly payload: JsonPayload;
  /** Handed to the function as its separate metadata argument; `undefined`: none. */
  readonly metadata?: unknown;
  readonly traceparent?: string | undefined;
  readonly baggage?: string | undefined;
  /** The worker that called; absent when the engine itself calls (triggers, auth, conditions). */
  readonly caller?: Caller | undefined;
  /** Why the engine itself calls; read only without `caller`. Default: `engine` (auth, hooks, middleware). */
  readonly from?: 'http' | 'trigger' | 'engine';
  /** A worker to prefer when it has a live registration of the function (affinity, spec WP §1.7). */
  readonly preferWorker?: string | undefined;
  /**
   * The answer decides about others: who gets in, what is registered, what a request may do. A session with rules is not asked, unless
   * its auth function names the id in `allowed_functions`; for all it serves, the function counts as missing.
   */
  readonly deciding?: boolean;
  /** The input held numbers that JSON text can't carry exactly. */
  readonly inexactNumbers?: boolean;
}

export interface Caller {
  readonly workerId: string;
  /** SDK version as announced; `undefined` before the announce. */
  readonly version: string | undefined;
  /** Largest message that this caller accepts, in bytes. */
  readonly maxMessageBytes: number;
  /** What it may call and see; `undefined`: everything. */
  readonly access?: CallerAccess | undefined;
  /** Functions get it in `_caller`; `undefined` for trusted workers. */
  readonly card?: CallerCard | undefined;
}

export interface CallerAccess {
  /** `namespace`: that of the function. Default: `default`. */
  mayCall(functionId: string, namespace?: string): boolean;
  /** What its auth function said of it, for middleware and hooks. */
  readonly grant: { readonly context: unknown };
}

/** A function that the engine itself provides. A sync answer is preferred; throwing a `RivuletError` answers with its code. */
export type BuiltinHandler = (call: Call) => Outcome | Promise<Outcome>;

/** Why a guest may not call a function. It reads the same for a function that nobody has registered. */
export function forbiddenText(functionId: string): string {
  return `function ${functionId} is not allowed for this session; add it to rbac.expose_functions of the listener`;
}

/** An error of the engine's own as the outcome of a call. */
export function failure(code: ErrorCode, message: string): Failure {
  return { kind: 'error', error: { code, message }, origin: 'engine' };
}
