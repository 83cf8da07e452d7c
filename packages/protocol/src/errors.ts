/**
 * An error code that Rivulet itself puts on the wire, or that a command prints. Codes of workers pass through unchanged and are not in the
 * table. docs/errors.md has the same rows, and a test compares both in both directions.
 */
export interface ErrorEntry {
  /** The situation in which the code is sent. */
  readonly when: string;
  /** Whether the same request may succeed later without a change by the caller. */
  readonly retryable: boolean;
}

export const ERROR_CODES = {
  function_not_found: { when: 'No function with this id is registered.', retryable: true },
  function_not_invokable: { when: 'The function is registered as HTTP-invoked, which this engine does not perform.', retryable: false },
  invocation_failed: {
    when: 'The function threw. Guests and HTTP clients get a fixed message and an error_id; workers of a trusted listener get the message.',
    retryable: false,
  },
  invocation_stopped: { when: 'The worker that ran the function disconnected before it answered.', retryable: true },
  invocation_error: { when: 'The engine failed while it waited for the result.', retryable: true },
  channel_send_failed: { when: 'The outbound queue of the worker that should run the function is closed.', retryable: true },
  enqueue_error: { when: 'No queue provider is available for an enqueue action.', retryable: false },
  invalid_action: { when: 'The action of an invocation has an unknown type.', retryable: false },
  FORBIDDEN: { when: 'The session may not call this function, watch this group, or replace this data.', retryable: false },
  INVALID_NAMESPACE: {
    when: 'The namespace of a call, a trigger or an announcement is blank, too long, or not text without control characters.',
    retryable: false,
  },
  deserialization_error: {
    when: 'A message cannot be read: not JSON, too deep, or too many values. Or the input of a built-in function has the wrong shape, or a number that JSON does not carry exactly.',
    retryable: false,
  },
  trigger_registration_failed: { when: 'A trigger cannot be registered.', retryable: false },
  NOT_FOUND: {
    when: 'An engine::*::info call names something that does not exist, or no http trigger has the path of a request.',
    retryable: false,
  },
  INVALID_ARGUMENTS: {
    when: 'The arguments of an engine::* or stream::* call contradict each other, ask for what this stream does not offer, or after of a list names nothing that is in it. Or a stream client uses a callId twice.',
    retryable: false,
  },
  ENGINE_STOPPING: { when: 'The engine stops and takes no new calls; nothing was done.', retryable: true },
  OVERLOADED: {
    when: 'A bound is reached: unanswered calls, calls queued for one worker, channels, waiting HTTP requests, their bodies or responses, unanswered writes, or idempotency keys of a store.',
    retryable: true,
  },
  INVALID_ID: {
    when: 'A stream name, group id, item id, scope or key is longer than 256 UTF-8 bytes (a topic: 1,024), has a control character, or is not well-formed Unicode. Or it is the reserved stream rivulet::calls.',
    retryable: false,
  },
  STORE_FULL: { when: 'The disk of the store is nearly full; nothing was written.', retryable: true },
  GROUP_FULL: {
    when: 'A write would make a group larger than group_bounds of its stream allows; nothing was written.',
    retryable: true,
  },
  STORE_UNAVAILABLE: {
    when: 'The store does not accept the operation now, for instance while it closes, after a failed sync, or when another engine has its directory.',
    retryable: true,
  },
  CORRUPT_ITEM: { when: 'The stored record fails its checksum; its value is not served.', retryable: false },
  CORRUPT_STORE: { when: 'The data file of a store, or its marker, is damaged or missing.', retryable: false },
  STORE_FORMAT_UNKNOWN: { when: 'The store is of another version, or its marker says nonsense.', retryable: false },
  VALUE_TOO_LARGE: { when: 'The value that a write would store is larger than an item may be; nothing was written.', retryable: false },
  MESSAGE_TOO_LARGE: {
    when: 'The call is larger than the message limit of the worker that should run the function; it was not called.',
    retryable: false,
  },
  RESULT_TOO_LARGE: {
    when: 'The answer is larger than the message limit of the caller; the writes of the call stay.',
    retryable: false,
  },
  STREAM_BACKEND_UNAVAILABLE: {
    when: 'A worker served this stream (createStream) and is not connected; nothing was read or written instead.',
    retryable: true,
  },
  JSON_ERROR: { when: 'A worker that serves a stream answered with the wrong shape.', retryable: false },
  STREAM_SET_ERROR: { when: 'stream::set failed for a reason without a code of its own.', retryable: true },
  STREAM_GET_ERROR: { when: 'stream::get failed for a reason without a code of its own.', retryable: true },
  STREAM_DELETE_ERROR: { when: 'stream::delete failed for a reason without a code of its own.', retryable: true },
  STREAM_GET_GROUP_ERROR: { when: 'stream::list failed for a reason without a code of its own.', retryable: true },
  STREAM_LIST_GROUPS_ERROR: { when: 'stream::list_groups failed for a reason without a code of its own.', retryable: true },
  STREAM_LIST_ALL_ERROR: { when: 'stream::list_all failed for a reason without a code of its own.', retryable: true },
  STREAM_SEND_ERROR: { when: 'stream::send failed for a reason without a code of its own.', retryable: true },
  STREAM_UPDATE_ERROR: { when: 'stream::update failed for a reason without a code of its own.', retryable: true },
  STREAM_BATCH_ERROR: { when: 'stream::batch failed for a reason without a code of its own.', retryable: true },
  SET_ERROR: { when: 'state::set failed for a reason without a code of its own.', retryable: true },
  GET_ERROR: { when: 'state::get failed for a reason without a code of its own.', retryable: true },
  DELETE_ERROR: { when: 'state::delete failed for a reason without a code of its own.', retryable: true },
  LIST_ERROR: { when: 'state::list failed for a reason without a code of its own.', retryable: true },
  LIST_GROUPS_ERROR: { when: 'state::list_groups failed for a reason without a code of its own.', retryable: true },
  UPDATE_ERROR: { when: 'state::update failed for a reason without a code of its own.', retryable: true },
  topic_not_set: { when: 'A publish or a subscribe trigger names no topic.', retryable: false },
  CONDITION_NOT_MET: { when: 'The condition function of an http trigger answered false.', retryable: false },
  MIDDLEWARE_TIMEOUT: { when: 'A middleware function did not answer before the time of the HTTP request was over.', retryable: true },
  TIMEOUT: {
    when: 'The response to an HTTP request did not begin in time, or a function that a stream client called did not answer in time.',
    retryable: true,
  },
  HOST_NOT_ALLOWED: { when: 'An HTTP request has a Host that is not in allowed_hosts of its listener.', retryable: false },
  ORIGIN_NOT_ALLOWED: {
    when: 'A page of another site sent a request to the admin listener, or of a site that is not in allowed_origins of rivulet-stream.',
    retryable: false,
  },
  UNAUTHORIZED: {
    when: 'A request to the admin listener has no token, or a wrong one. Or a plain HTTP read of a stream has refused credentials.',
    retryable: false,
  },
  AUTH_UNDECIDED: { when: 'Nobody decided about the credentials of a plain HTTP read of a stream.', retryable: true },
  BODY_TOO_LARGE: { when: 'The JSON body of an HTTP request is larger, deeper or has more values than allowed.', retryable: false },
  BODY_TIMEOUT: { when: 'The body of an HTTP request came too slowly.', retryable: true },
  HEADERS_TOO_LARGE: { when: 'An HTTP request has too many headers.', retryable: false },
  INTERNAL_ERROR: { when: 'The engine failed while it handled an HTTP request.', retryable: true },
  CONTROL_FAILED: { when: 'A command could not speak with the running engine, or the connection to it ended too early.', retryable: true },
  DIRECTORY_IN_USE: { when: 'An engine or another command uses the directory of a store; nothing was done.', retryable: true },
  DIRECTORY_NOT_EMPTY: { when: 'A command would write into a directory that has files already; nothing was done.', retryable: false },
  BACKUP_INCOMPLETE: { when: 'The directory is no backup, or the backup did not end, or it is of another version.', retryable: false },
  BACKUP_DAMAGED: { when: 'The files of a backup differ from what was written.', retryable: false },
  RESTORE_UNFINISHED: { when: 'A restore, an import or a salvage into the directory of a store did not end.', retryable: false },
  IMPORT_REFUSED: {
    when: 'A file to import is damaged, or has something that this store cannot keep; nothing was written.',
    retryable: false,
  },
  INVALID_CONFIG: { when: 'A command cannot use the configuration; nothing was done.', retryable: false },
  CONFLICT: { when: 'The condition of a write of a command does not hold; nothing was written.', retryable: false },
  RATE_LIMITED: {
    when: 'A stream client replaced the data of its leases too often; what it sent last is not stored. Or calls by plain HTTP came too fast; the function did not run.',
    retryable: true,
  },
  OUTCOME_UNKNOWN: {
    when: 'A function that a stream client called may have taken effect or not: the engine or the worker ended while it ran, or its outcome is not known any more.',
    retryable: false,
  },
  TOO_MANY_SUBSCRIPTIONS: { when: 'A stream connection asked for more subscriptions than it may hold.', retryable: false },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** The `error` member of an `invocationresult`. `code` and `message` are always strings (spec WP §1.2). */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly stacktrace?: string;
  /** The id of the log line with the cause, if the message hides the cause. */
  readonly error_id?: string;
}

/** The only exception that crosses the border between two folders of the engine. The message says what to do. */
export class RivuletError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RivuletError';
    this.code = code;
  }

  toBody(): ErrorBody {
    return { code: this.code, message: this.message };
  }
}
