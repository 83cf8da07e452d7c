import { randomBytes } from 'node:crypto';
import type { ErrorBody } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { Failure } from './invocation.js';
import { withoutNamespaces } from './not-found-text.js';

/** Message for outside callers, in place of a message that was not written for them. docs/errors.md lists it. */
const HIDDEN_MESSAGE = 'the function failed; the log of the engine has the cause under the id of this error';

/**
 * Codes that SDKs give to errors that a handler threw. `UNKNOWN` stands for an error without a code. The messages of these errors are raw
 * texts.
 */
const RAW_CODES = ['invocation_failed', 'serialization_error', 'trigger_registration_failed', 'UNKNOWN'] as const;
/** A message that repeats such an error, for example `stream::set(orders) failed with invocation_failed: …`. */
const QUOTES_RAW = /(?:invocation_failed|serialization_error|trigger_registration_failed|UNKNOWN): /;
/** Characters of a raw message and of a stack that the log gets. */
const LOGGED_CHARS = 4_096;

export interface PublicErrorOptions {
  /** Id of the function that the caller called. */
  readonly functionId: string;
  /** True: outside callers get the errors that trusted workers get (`expose_error_messages`). */
  readonly expose: boolean;
  readonly logger: Logger;
  /** Fields for the log line. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Id under which the log has the cause. @default a new id */
  readonly errorId?: string;
}

/**
 * Returns an error as guests and HTTP clients may see it.
 *
 * - Errors of the engine, and codes that a handler chose, keep code and message. Names of namespaces are removed.
 * - Other errors of a function become `invocation_failed` with a fixed message and an `error_id`. The log has the rest (`function_failed`).
 *
 * A stack never leaves the engine.
 */
export function publicError(failure: Pick<Failure, 'error' | 'origin'>, options: PublicErrorOptions): ErrorBody {
  const { error, origin } = failure;
  if (options.expose) return error;
  const raw = origin === 'function' && (RAW_CODES as readonly string[]).includes(error.code);
  if (!raw && !QUOTES_RAW.test(error.message)) return { code: error.code, message: withoutNamespaces(error.message) };
  const errorId = options.errorId ?? randomBytes(8).toString('hex');
  options.logger.warn('function_failed', {
    error_id: errorId,
    function: options.functionId,
    ...options.fields,
    code: error.code,
    message: error.message.slice(0, LOGGED_CHARS),
    ...(error.stacktrace === undefined ? {} : { stack: error.stacktrace.slice(0, LOGGED_CHARS) }),
  });
  return { code: raw ? 'invocation_failed' : error.code, message: HIDDEN_MESSAGE, error_id: errorId };
}
