/**
 * A WebSocket close code that Rivulet sends. docs/errors.md has the same rows, and a test compares both in both directions. Codes below
 * 4000 are those of RFC 6455 and the IANA registry. Rivulet sends 1000 and 1001 on channels only, because the Python SDK does not reconnect
 * after them.
 */
export interface CloseCodeEntry {
  readonly code: number;
  /** The reason text of the close frame. It comes from this table, never from the input of a peer. */
  readonly reason: string;
  readonly when: string;
  readonly reconnect: boolean;
}

export const CLOSE_CODES = {
  done: {
    code: 1000,
    reason: 'end of channel',
    when: 'The writer of a channel closed it, and its reader has everything.',
    reconnect: false,
  },
  readerGone: { code: 1001, reason: 'reader gone', when: 'The reader of a channel left, or the channel was given up.', reconnect: false },
  protocolError: { code: 1002, reason: 'protocol error', when: 'The peer broke RFC 6455.', reconnect: true },
  invalidUtf8: { code: 1007, reason: 'invalid UTF-8', when: 'A text message is not valid UTF-8.', reconnect: true },
  refused: { code: 1008, reason: 'unauthorized', when: 'The auth function refused the connection.', reconnect: false },
  expired: {
    code: 1008,
    reason: 'access expired',
    when: 'The permission of the auth function has ended (`expires_at_ms`), and no fresh token came.',
    reconnect: true,
  },
  revoked: {
    code: 1008,
    reason: 'access revoked',
    when: 'An operator ended the sessions of this identity (`engine::sessions::disconnect`).',
    reconnect: true,
  },
  taken: { code: 1008, reason: 'endpoint taken', when: 'The channel has a reader, or a writer, already.', reconnect: false },
  tooLarge: { code: 1009, reason: 'message too large', when: 'A message is larger than the listener accepts.', reconnect: true },
  internal: { code: 1011, reason: 'internal error', when: 'Handling this connection failed unexpectedly.', reconnect: true },
  writerLost: {
    code: 1011,
    reason: 'writer lost',
    when: 'The writer of a channel dropped, or closed with another code than 1000 or none: the data may be incomplete.',
    reconnect: false,
  },
  restart: { code: 1012, reason: 'service restart', when: 'The engine stops or restarts.', reconnect: true },
  tryLater: {
    code: 1013,
    reason: 'try again later',
    when: 'A worker or a new token could not be decided, the outbound queue is full, or the engine has been cut off from its store for long.',
    reconnect: true,
  },
  notAdmitted: {
    code: 1013,
    reason: 'not admitted',
    when: 'The connection of a stream client could not be decided, or the engine is cut off from its store. The engine has read none of its frames.',
    reconnect: true,
  },
  unattended: {
    code: 1013,
    reason: 'not admitted: no auth worker',
    when: 'No worker served the auth function of stream clients for 5 s. The engine has read none of the frames.',
    reconnect: true,
  },
} as const satisfies Record<string, CloseCodeEntry>;

export type CloseName = keyof typeof CLOSE_CODES;
