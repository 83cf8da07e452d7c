import type { ErrorBody } from '@rivulet/protocol';
import { detailOf, InvocationError, messageOf } from '../api/errors.js';

/** The most code units of a stack that the worker sends. */
const STACK_UNITS = 16_384;

/**
 * The members of an `Error` that a handler throws on purpose. Errors of the system and of libraries have more, such as `errno` or
 * `sqlState`.
 */
const PLAIN_MEMBERS = new Set(['code', 'message', 'name', 'stack', 'cause', 'function_id', 'stacktrace']);
/** The hidden members that the runtime adds to each `Error`: Safari and Bun the first five, Firefox the others. */
const RUNTIME_MEMBERS = new Set([
  'line',
  'column',
  'sourceURL',
  'originalLine',
  'originalColumn',
  'fileName',
  'lineNumber',
  'columnNumber',
]);
/** The codes of Node, of TLS and of common libraries. The messages of such errors name files, hosts and values. */
const FOREIGN_CODE = /^(?:E[A-Z0-9]+$|ERR_|ABORT_ERR|UND_ERR_|WS_ERR_|HPE_|SQLITE_|\d)|CERT|SIGNATURE/;

/**
 * Returns the error that the engine gets for a value that a handler threw. There are two kinds:
 *
 * - Chosen errors keep their code and message for every caller: an `InvocationError`, an object with `code` and `message`, or an `Error` to
 *   which only a `code` was added.
 * - All other values are faults, and so are errors of the system and of libraries. A fault has the code `fallback`. Guests and HTTP clients
 *   never see its message.
 */
export function errorBodyOf(thrown: unknown, fallback: 'invocation_failed' | 'trigger_registration_failed'): ErrorBody {
  try {
    const stack: unknown = thrown instanceof Error ? thrown.stack : undefined;
    const body = answerOf(thrown) ?? { code: fallback, message: messageOf(thrown) };
    return typeof stack === 'string' ? { ...body, stacktrace: stack.slice(0, STACK_UNITS) } : body;
  } catch {
    return { code: fallback, message: messageOf(thrown) };
  }
}

function answerOf(thrown: unknown): ErrorBody | undefined {
  if (thrown instanceof InvocationError) return { code: thrown.code, message: detailOf(thrown) };
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  const { code, message } = thrown as { readonly code?: unknown; readonly message?: unknown };
  if (typeof code !== 'string' || code === '' || typeof message !== 'string') return undefined;
  return !(thrown instanceof Error) || isAnswer(thrown, code) ? { code, message: detailOf({ code, message }) } : undefined;
}

function isAnswer(error: Error, code: string): boolean {
  // Another copy of this package, or the official SDK, has a class of its own for the same error.
  if (error.name === 'InvocationError' || error.name === 'IIIInvocationError') return true;
  return !FOREIGN_CODE.test(code) && Object.entries(Object.getOwnPropertyDescriptors(error)).every(isPlain);
}

function isPlain([name, { enumerable }]: [string, PropertyDescriptor]): boolean {
  return PLAIN_MEMBERS.has(name) || (enumerable !== true && RUNTIME_MEMBERS.has(name));
}
