import { ERROR_DOCS, WORKER_LOG_CHARS } from '@rivulet/protocol';

/**
 * The codes of the SDK itself. Codes of the engine and of handlers pass through unchanged. docs/sdk.md has the same rows, and a test
 * compares the two.
 */
export const SDK_ERROR_CODES = {
  TIMEOUT:
    'No answer came in time. The function may still run, unless the message says `not sent` and why. Raise timeoutMs, or make the call safe to repeat.',
  CONNECTION_LOST: 'The connection was lost while the call ran. The call may have taken effect. Repeat it if that is safe.',
  NO_CONNECTION:
    'The worker could not connect to the engine; the message says why. Check the address, the credentials and that the engine runs. The worker tries again.',
  INSECURE_URL:
    'The address is `ws:` and leads to another machine, so others can read the connection. Use `wss:` behind a proxy that ends TLS.',
  QUEUE_FULL: 'Too much waits to be sent. Wait for the connection (onConnectionState), then call again.',
  WORKER_CLOSED:
    'The worker is closed, or no attempt is left. While it drains, it accepts no registration. Make a new one with registerWorker.',
  MESSAGE_TOO_LARGE: 'The call is larger than the engine accepts. Send it in parts, or through a channel.',
  RESULT_TOO_LARGE: 'The result of the handler is larger than the engine accepts. Return less, or use a channel.',
  OVERLOADED: 'The worker runs its most handlers (maxRunningHandlers). Call again later.',
  serialization_error: 'The value is no JSON (a cycle, or a BigInt). Pass plain data.',
  INVALID_ARGUMENTS: 'A call of the SDK has an argument or option that is unknown or wrong; the message says which.',
  CHANNEL_LOST: 'The socket of a channel ended before the channel did. Create another channel.',
  invocation_failed: 'The handler threw another value than an `InvocationError`. Trusted callers get its message and its stack.',
  function_not_found: 'This worker does not have the function any more.',
  function_not_invokable: 'The engine calls this function over HTTP, and this worker has no handler for it.',
  trigger_type_not_found: 'This worker does not have the trigger type any more.',
  trigger_registration_failed: 'The provider of the trigger type refused the binding, or took too long.',
} as const;

export type SdkErrorCode = keyof typeof SDK_ERROR_CODES;

export interface InvocationErrorInit {
  readonly code: string;
  readonly message: string;
  readonly function_id?: string;
  readonly stacktrace?: string;
  readonly error_id?: string;
}

/**
 * The error of a failed call. It comes from the engine, from the handler or from the SDK, and `code` tells them apart. `stacktrace` is that
 * of the handler. A handler throws an `InvocationError` to choose the error of its caller: `throw new InvocationError({ code: 'NOT_OWNER',
 * message: 'not your order' })`.
 */
export class InvocationError extends Error {
  readonly code: string;
  readonly function_id?: string;
  readonly stacktrace?: string;
  /** The id of the log line of the engine with the cause, if the message hides the cause. */
  readonly error_id?: string;

  constructor({ code, message, function_id, stacktrace, error_id }: InvocationErrorInit) {
    super(`${code}: ${message}`);
    this.name = 'InvocationError';
    this.code = code;
    if (function_id !== undefined) this.function_id = function_id;
    if (stacktrace !== undefined) this.stacktrace = stacktrace;
    if (error_id !== undefined) this.error_id = error_id;
  }

  /** The entry of the code in the docs. A code that a function chose has no entry, and the page says so. */
  get docs(): string {
    return ERROR_DOCS + this.code;
  }
}

export function sdkError(code: SdkErrorCode, message: string, functionId?: string): InvocationError {
  return new InvocationError({ code, message, ...(functionId === undefined ? {} : { function_id: functionId }) });
}

/** Returns the message of an error without the code that it begins with. */
export function detailOf({ code, message }: { readonly code: string; readonly message: string }): string {
  return message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
}

/** Returns the text of a thrown value. The value may have no text, or may throw when it is read. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error).slice(0, WORKER_LOG_CHARS);
  } catch {
    return 'a value without a text';
  }
}
