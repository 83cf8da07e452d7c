import type { ErrorBody } from '@rivulet/protocol';
import { detailOf, InvocationError, messageOf } from '../api/errors.js';

/** Code units of a stack that go onto the wire. */
const STACK_UNITS = 16_384;

/** Members of an `Error` that its author gives it to answer with. System and library errors have more: `errno`, `syscall`, `sqlState`. */
const PLAIN_MEMBERS = new Set(['code', 'message', 'name', 'stack', 'cause', 'function_id', 'stacktrace']);
/** Codes of Node, of TLS and of common libraries. Their messages name files, hosts and values. */
const FOREIGN_CODE = /^(?:E[A-Z0-9]+$|ERR_|ABORT_ERR|UND_ERR_|WS_ERR_|HPE_|SQLITE_|\d)|CERT|SIGNATURE/;

/**
 * Returns what the engine gets for a value that a handler threw. An answer keeps its code and its message for every caller: an
 * `InvocationError`, an object with `code` and `message`, or an `Error` to which only a `code` was added. Anything else is a fault: its
 * code is `fallback`, and callers outside never see its message. Errors of the system and of libraries are faults though they have a code.
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
  // Another copy of this package, or the official SDK, throws the same error.
  if (error.name === 'InvocationError' || error.name === 'IIIInvocationError') return true;
  return !FOREIGN_CODE.test(code) && Object.getOwnPropertyNames(error).every((name) => PLAIN_MEMBERS.has(name));
}
