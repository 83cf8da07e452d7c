import type { IncomingMessage, ServerResponse } from 'node:http';

/** One request of a client, with what its connection needs to know. */
export interface HttpRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client has to send the next bytes of the body. Call it for each piece that came. */
  readonly waitForClient: () => void;
  /** The body is complete, or nobody reads it now. */
  readonly engage: () => void;
}
