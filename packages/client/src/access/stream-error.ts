/**
 * Codes of the client itself; others come from the engine as they are (docs/errors.md).
 * - `CONNECT_FAILED`: the connection did not open; the message names the likely cause, and the client retries.
 * - `UNAUTHORIZED`: the engine refused the connection (1008, or 401 where the runtime shows it); the client asks for a token again and retries.
 * - `TOKEN_FAILED`: `getToken` failed; the client retries.
 * - `FORBIDDEN`: the group may not be watched; the client asks again, later each time.
 * - `INVALID_FRAME`: the server sent what is no frame of the protocol; the client connects anew.
 * - `HOLE`: frames were missing without an announcement; the client joins again from where it is.
 * - `PERSIST_FAILED`: the store of the browser failed, or its record could not be used; the client goes on without it.
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

/** What went wrong. Only wrong arguments are thrown; everything else is told to `onError`, and the client goes on by itself. */
export class StreamError extends Error {
  readonly code: StreamErrorCode;

  constructor(code: StreamErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StreamError';
    this.code = code;
  }
}
