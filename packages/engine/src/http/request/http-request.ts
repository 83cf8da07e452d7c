import type { IncomingMessage, ServerResponse } from 'node:http';

/** One request of a client, with the notices that its connection needs. */
export interface HttpRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Notes that the client has to send the next bytes of the body. The reader of the body calls it for each piece. */
  readonly waitForClient: () => void;
  /** Notes that the body is complete or not read now. */
  readonly engage: () => void;
}
