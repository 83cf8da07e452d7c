import { randomBytes } from 'node:crypto';
import type { ErrorBody } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { Failure } from './invocation.js';
import { withoutNamespaces } from './not-found-text.js';

/** Callers outside get this text in the place of a message that nobody wrote for them. docs/errors.md has it. */
const HIDDEN_MESSAGE = 'the function failed; the log of the engine has the cause under this error_id';

/** SDKs give these codes to whatever a handler threw, and `UNKNOWN` stands for an error without a code. Their messages are raw texts. */
const RAW_CODES = ['invocation_failed', 'serialization_error', 'trigger_registration_failed', 'UNKNOWN'] as const;
/** A message that repeats such an error, as `stream::set(orders) failed with invocation_failed: …` does. */
const QUOTES_RAW = /(?:invocation_failed|serialization_error|trigger_registration_failed|UNKNOWN): /;
/** Characters of a raw message and of a stack that go to the log. */
const LOGGED_CHARS = 4_096;

export interface PublicErrorOptions {
  /** Id of the function that the caller asked for. */
  readonly functionId: string;
  /** True: the operator wants callers outside to get errors as trusted workers get them (`expose_error_messages`). */
  readonly expose: boolean;
  readonly logger: Logger;
  /** Added to the line of the log. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Id under which the log has the cause; made when absent. */
  readonly errorId?: string;
}

/**
 * Returns an error as guests and HTTP clients may see it. A code that a handler chose, and every error of the engine, keep code and
 * message, without the namespaces of workers. Anything else that a function threw becomes `invocation_failed` with a fixed message and
 * an `error_id`; the log has the rest (`function_failed`). No stack ever leaves.
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
