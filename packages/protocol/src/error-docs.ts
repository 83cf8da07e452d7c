/**
 * The address of an error code's entry in the docs, without the code. It is a path in the repository, until the docs have a site. The page
 * has an anchor for each code of the engine, the client and the SDK.
 */
export const ERROR_DOCS = 'docs/errors.md#';

/** The codes that only the client and the SDK give to errors. docs/errors.md has them in this order, in a table of their own. */
export const PEER_ERROR_CODES: readonly string[] = [
  'CONNECT_FAILED',
  'TOKEN_FAILED',
  'INVALID_FRAME',
  'HOLE',
  'PERSIST_FAILED',
  'INVALID_URL',
  'INVALID_OPTIONS',
  'CLOSED',
  'INSECURE_URL',
  'CONNECTION_LOST',
  'NO_CONNECTION',
  'QUEUE_FULL',
  'NOT_SENT',
  'ABORTED',
  'CALLS_UNSUPPORTED',
  'IDENTITY_CHANGED',
  'DRAFT_FAILED',
  'WORKER_CLOSED',
  'serialization_error',
  'CHANNEL_LOST',
  'trigger_type_not_found',
];
