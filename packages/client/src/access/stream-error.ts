import { ERROR_DOCS } from '@rivulet/protocol';

/**
 * The codes of the client itself. Other codes come from the engine unchanged (docs/errors.md).
 *
 * - `CONNECT_FAILED`: the connection did not open. The message names the likely cause, and the client retries.
 * - `UNAUTHORIZED`: the engine refused the connection, with 1008, or with 401 where the runtime shows it. The client requests another token
 *   and retries.
 * - `TOKEN_FAILED`: `getToken` failed. The client retries.
 * - `FORBIDDEN`: the client may not watch the group. It joins again, after longer and longer delays.
 * - `INVALID_FRAME`: the server sent a text that is no frame of the protocol. The client connects again.
 * - `HOLE`: frames are missing and the server did not announce it. The client joins again from its position.
 * - `PERSIST_FAILED`: the store of the browser failed, or its record can't be used. The client goes on without it.
 * - `QUEUE_FULL`: a call is rejected because too many calls wait.
 * - `NOT_SENT`: a call is rejected because no connection came in time. It was not sent.
 * - `OUTCOME_UNKNOWN`: nobody knows whether the function of a call ran.
 * - `ABORTED`: the signal of a call ended the wait.
 * - `CALLS_UNSUPPORTED`: the server has no calls.
 * - `IDENTITY_CHANGED`: kept calls of another user were dropped.
 * - `DRAFT_FAILED`: a draft function threw when it ran again. The views keep its last effects.
 */
export type StreamErrorCode =
  | 'CONNECT_FAILED'
  | 'UNAUTHORIZED'
  | 'TOKEN_FAILED'
  | 'FORBIDDEN'
  | 'INVALID_FRAME'
  | 'HOLE'
  | 'PERSIST_FAILED'
  | 'QUEUE_FULL'
  | 'NOT_SENT'
  | 'OUTCOME_UNKNOWN'
  | 'ABORTED'
  | 'CALLS_UNSUPPORTED'
  | 'IDENTITY_CHANGED'
  | 'DRAFT_FAILED'
  | (string & NonNullable<unknown>);

/**
 * An error of the client. The client throws errors for wrong arguments only. A call that fails rejects its promise. The client reports all
 * other errors to `onError` and goes on by itself.
 */
export class StreamError extends Error {
  readonly code: StreamErrorCode;
  /** The id of the line in the log of the engine that has the cause, if the message of a failed call hides it. */
  readonly errorId: string | undefined;

  constructor(code: StreamErrorCode, message: string, options?: ErrorOptions & { readonly errorId?: string | undefined }) {
    super(message, options);
    this.name = 'StreamError';
    this.code = code;
    this.errorId = options?.errorId;
  }

  /** The entry of the code in the docs. */
  get docs(): string {
    return ERROR_DOCS + this.code;
  }
}
