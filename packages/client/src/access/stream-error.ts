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
 */
export type StreamErrorCode =
  | 'CONNECT_FAILED'
  | 'UNAUTHORIZED'
  | 'TOKEN_FAILED'
  | 'FORBIDDEN'
  | 'INVALID_FRAME'
  | 'HOLE'
  | 'PERSIST_FAILED'
  | (string & NonNullable<unknown>);

/** An error of the client. The client throws errors for wrong arguments only. It reports all others to `onError` and goes on by itself. */
export class StreamError extends Error {
  readonly code: StreamErrorCode;

  constructor(code: StreamErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StreamError';
    this.code = code;
  }

  /** The entry of the code in the docs. */
  get docs(): string {
    return ERROR_DOCS + this.code;
  }
}
