import {
  BATCH_WRITES,
  CALL_CONFIRMS,
  ID_BYTES,
  JSON_DEPTH,
  JSON_NODES,
  LEASE_DATA_BYTES,
  REGISTRATIONS_PER_WORKER,
  REGISTRY_ID_BYTES,
  SERVER_FRAME_CHARS,
  WORKER_LOG_CHARS,
  WORKER_MESSAGE_BYTES,
  WORKER_OUTBOUND_BYTES,
} from './shared-limits.js';

/**
 * The bounds of the wire. A bound that is marked configurable is a default. docs/limits.md lists all bounds, and a test compares the two.
 * The names end with their unit: `Bytes`, `Chars` (UTF-16 code units), `Ms` (milliseconds). A name without a unit is a count.
 */
export const LIMITS = {
  /** A stream name, group id, item id, scope or key, in UTF-8. */
  idBytes: ID_BYTES,
  /** The `identity` of an auth answer, in UTF-8. */
  identityBytes: 256,
  /** The nesting of objects and arrays in one message. */
  jsonDepth: JSON_DEPTH,
  /** The objects, arrays and scalars in one message. */
  jsonNodes: JSON_NODES,
  /** The different keys in one message of a stream client or a guest session, and the members of its objects that have 128 and more. */
  guestKeys: 8_192,
  /** One message of a worker. Configurable: `max_message_bytes` of rivulet-worker-manager. */
  workerMessageBytes: WORKER_MESSAGE_BYTES,
  /** One message of a guest session. */
  guestMessageBytes: 1_048_576,
  /** The bytes of unfinished messages of all trusted workers, and of all guest sessions. */
  workersUnfinishedBytes: 268_435_456,
  sessionsUnfinishedBytes: 67_108_864,
  /** The value of one item as JSON, in UTF-8. The old and the new value fit into one answer of the default size. */
  valueBytes: 8_000_000,
  /** One message of a stream client. Configurable: `max_message_bytes` of rivulet-stream. */
  clientMessageBytes: 262_144,
  /** The fragments of one incomplete WebSocket message. */
  fragments: 64,
  /** The chunks of one incomplete frame that the WebSocket parser holds. */
  bufferedChunks: 4_096,
  /** The time from the first fragment of a WebSocket message to the last one. */
  messageAssemblyMs: 10_000,
  /** The calls in flight of one worker connection. Configurable: `max_in_flight_calls`. */
  inFlightCalls: 65_536,
  /** The calls in flight of one guest session, and the length of their frames. */
  guestInFlightCalls: 1_024,
  guestInFlightChars: 2_097_152,
  /** The bytes queued for one guest session above which it gets no call. */
  guestCallBacklogBytes: 2_097_152,
  /** The bytes queued for one guest session, its next answer of more than 16 KiB included. Above it that answer becomes `OVERLOADED`. */
  guestAnswerBytes: 7_340_032,
  /** The bytes queued for one guest session above which it is closed with 1013. */
  guestOutboundBytes: 8_388_608,
  /** The bytes queued for one worker connection above which it is closed with 1013. */
  workerOutboundBytes: WORKER_OUTBOUND_BYTES,
  /** The bytes queued for one worker connection above which no call is added. So callers alone never fill the queue. */
  workerCallBacklogBytes: 33_554_432,
  /** A function id, trigger id, trigger type id or topic, in UTF-8. */
  registryIdBytes: REGISTRY_ID_BYTES,
  /** The `function_registration_prefix`, in UTF-8. */
  registrationPrefixBytes: 256,
  /** The frames of one guest session that wait while a registration hook decides. */
  heldFrames: 1_024,
  /** The length of those frames. */
  heldFrameChars: 1_048_576,
  /** The frames of one trusted worker that wait for its announcement, and their length. */
  namespaceHeldFrames: 16_384,
  namespaceHeldChars: 33_554_432,
  /** The time that registrations wait for the announcement of their worker, which names its namespace. */
  namespaceGraceMs: 5_000,
  /** The namespaces beside `default` in which workers have functions or are connected. */
  namespaces: 1_024,
  /** The time after which the engine reports a trigger whose type no worker provides. */
  triggerWaitReportMs: 10_000,
  /** The different unknown keys of payloads and trigger configs that the engine logs for one worker connection. */
  unknownKeysLogged: 64,
  /** The functions, the triggers and the trigger types of one worker connection, each. */
  registrationsPerWorker: REGISTRATIONS_PER_WORKER,
  /** The length of the ids, descriptions, formats, metadata and configs of all registrations of one worker connection. */
  registrationChars: 67_108_864,
  /** The registrations of one guest session, and the length of their texts. */
  registrationsPerGuest: 2_000,
  registrationCharsPerGuest: 524_288,
  /** The registrations of all trusted workers together, the length of their texts, and the same two bounds for all guest sessions. */
  registrations: 200_000,
  allRegistrationChars: 268_435_456,
  guestRegistrations: 50_000,
  // Less than one message of a worker, so that a list of all functions fits into one message.
  guestRegistrationChars: 12_582_912,
  /** The bindings that engine::register_trigger made, of all workers together. */
  durableTriggers: 10_000,
  /** The triggers of type engine::functions-available of one worker connection. The bound for engine::workers-available is the same. */
  engineTriggersPerWorker: 16,
  /** The events of engine::workers-available that the engine keeps for bindings that have not received them yet. */
  workerEvents: 1_024,
  /** Each text with which a worker describes itself. */
  labelChars: 256,
  /** One message that a worker writes to the log of the engine. */
  workerLogChars: WORKER_LOG_CHARS,
  /** The log lines of one worker in a second, and those that it may write at once after a pause. */
  workerLogLinesPerSecond: 200,
  workerLogLinesBurst: 1_000,
  /** The log lines of all workers in a second. */
  workerLogsPerSecond: 2_000,
  /** The log lines of one event in a second. The second value is for the level debug. */
  logLinesPerSecond: 10,
  debugLinesPerSecond: 100,
  /** The lines of `admin_action` in a second. Audits need all of them. */
  adminActionLinesPerSecond: 1_000,
  /** The log lines of all events in a second. */
  allLogLinesPerSecond: 4_000,
  /** The time that calls in flight may take when the engine stops. */
  drainMs: 10_000,
  /** The time in which the exporter of OpenTelemetry takes the last spans when the engine stops. */
  traceFlushMs: 2_000,
  /** The subscriptions of one stream connection. Configurable: `max_subscriptions_per_connection`. */
  subscriptionsPerConnection: 256,
  /** The groups without a subscriber that the engine keeps for a client that reconnects, and the bytes of their logs. */
  lingeringGroups: 10_000,
  lingeringLogBytes: 67_108_864,
  /** The streams that have series of their own in the metrics: those that the configuration names. */
  namedStreams: 100,
  /** One frame that the stream client reads. Configurable in the client: `maxFrameChars`. */
  serverFrameChars: SERVER_FRAME_CHARS,
  /** The time after which a reader is closed that reads nothing of a large `sync`. */
  snapshotStallMs: 60_000,
  /** The time for which the engine keeps a read view of the store for a reader. */
  readViewMs: 5_000,
  /** The bytes written to the store after which an open read view ends. Half of the live bytes, if that is more. */
  readViewBytes: 16_777_216,
  /** The bytes of all files that hold large answers for slow readers. */
  spoolBytes: 1_073_741_824,
  /** The open files of this kind. */
  spoolFiles: 256,
  /** The time for which the engine keeps a stream connection while the store is unavailable. */
  outageKeepMs: 30_000,
  /** The time over which the engine spreads the ends of these connections. */
  outageSpreadMs: 10_000,
  /** The time without its store after which an engine refuses new stream clients. */
  outageRefuseMs: 5_000,
  /** One `sync`, or the changes since an old position, that the engine builds once for many clients. */
  builtSyncBytes: 16_777_216,
  /** All of them together. */
  builtSyncsBytes: 33_554_432,
  /** The items of one page of a group that is read by plain HTTP, the bytes above which a page ends, and those of a page with one item. */
  readPageItems: 1_000,
  readPageBytes: 1_048_576,
  readPageMostBytes: 16_777_216,
  /** The bytes of all answers to plain HTTP reads that clients have not taken yet. */
  readUnsentBytes: 134_217_728,
  /** The time that a plain HTTP read may wait for a change. */
  longPollMs: 60_000,
  /** The plain HTTP reads of changes that have not ended. */
  longPolls: 16_384,
  /** The groups of one event stream. */
  eventGroups: 32,
  /** The time for which an allowed credential may read a group by plain HTTP without a further call, and how many the engine remembers. */
  readAllowMs: 5_000,
  readAllows: 10_000,
  /** The calls of one stream client that have no answer yet or still run, and the length of their frames. */
  clientInFlightCalls: 256,
  clientInFlightChars: 1_048_576,
  /** The calls of all stream clients that run, those of one address, and the length of the frames of all. */
  clientCalls: 16_384,
  clientCallsPerAddress: 4_096,
  clientCallChars: 67_108_864,
  /** The time for which a call waits for a worker that serves its function, and a client for one that serves the auth function. */
  clientFunctionWaitMs: 5_000,
  /** The groups whose positions one call may request. */
  callConfirms: CALL_CONFIRMS,
  /** The time in which the engine must read these positions after the function has answered. */
  callPositionsMs: 2_000,
  /** The result of one call of a stream client. */
  callResultBytes: 1_048_576,
  /** The results that one stream client has not taken, its next result included. Above it that result becomes `OUTCOME_UNKNOWN`. */
  callAnswerBytes: 2_097_152,
  /** The bodies of all calls by plain HTTP that are arriving, or whose call runs. */
  postedBodyBytes: 16_777_216,
  /** The time for which the engine keeps stream clients whose calls run when it stops. */
  callDrainMs: 5_000,
  /** The leased items, in use or in their grace time. */
  leases: 100_000,
  /** The data of a lease as JSON, in UTF-8. */
  leaseDataBytes: LEASE_DATA_BYTES,
  /** The time that a leased item may outlive a lost connection. */
  leaseGraceMs: 600_000,
  /** The replacements of lease data by one client in a second. */
  leaseUpdatesPerSecond: 10,
  /** The calls of the auth function of one listener that run at the same time. */
  authQuestions: 64,
  /** The requests that wait until such a call ends. */
  authWaiting: 4_096,
  /** The digests of refused credentials that one listener remembers. */
  authRefused: 10_000,
  /** The time for which a refused credential is refused again without a call of the auth function. */
  authRefusedMs: 3_000,
  /** The same time for a credential at which the auth function failed. */
  authFailedMs: 2_000,
  /** The token in a `refresh`, and a token that the engine checks by itself. */
  tokenChars: 16_384,
  /** The signatures of key pairs that the engine checks at the same time, the tokens that wait for it, and the longest wait. */
  signatureChecks: 16,
  signaturesWaiting: 16_384,
  signatureWaitMs: 10_000,
  /** The checked tokens that one listener remembers until their `exp`, and their length together. */
  checkedTokens: 10_000,
  checkedTokenChars: 8_388_608,
  /** The document of a key server (`jwks_url`), and the keys in it. */
  jwtKeysBytes: 65_536,
  jwtKeys: 100,
  /** The time in which a key server must answer. */
  jwtKeysTimeoutMs: 5_000,
  /** The time between two requests to a key server, and the same time while the engine has no keys. */
  jwtKeysPauseMs: 30_000,
  jwtKeysRetryMs: 5_000,
  /** The age of keys after which the engine requests them again, while it uses them. */
  jwtKeysFreshMs: 300_000,
  /** The age after which the engine uses keys no more, because their server does not answer. */
  jwtKeysStaleMs: 3_600_000,
  /** The events that wait for one trigger binding. Above it the oldest event is dropped. */
  pendingPerTrigger: 10_000,
  /** The length of the events of one trigger binding that wait or run. */
  pendingTriggerChars: 33_554_432,
  /** The length of the events of all trigger bindings that wait or run. An event counts once. */
  heldTriggerChars: 268_435_456,
  /** The writes that wait in a store. A further write gets `OVERLOADED`. */
  queuedWrites: 65_536,
  /** The lists that wait for a store. A further list gets `OVERLOADED`. */
  queuedLists: 4_096,
  /** The writes of one `stream::batch`. */
  batchWrites: BATCH_WRITES,
  /** The length of the values before and after all writes of one `stream::batch`. Its answer fits one message of the default size. */
  batchChars: 16_000_000,
  /** The least and the most `ttl_ms`: a second and 30 days. */
  ttlLeastMs: 1_000,
  ttlMostMs: 2_592_000_000,
  /** The items that one write deletes, so that its group is back within `group_bounds`. */
  evictedItems: 1_000,
  /** The idempotency keys that a store remembers, and the UTF-8 bytes of the keys and their answers. */
  idempotencyKeys: 1_000_000,
  idempotencyBytes: 268_435_456,
  /** The calls with an idempotency key that one engine remembers. */
  keyedCalls: 400_000,
  /** Such calls of one identity, or of one address without an identity: an eighth. */
  callerKeyedCalls: 50_000,
  /** The kept outcome of one call, and the kept outcomes of all these calls, in UTF-8. */
  callOutcomeBytes: 65_536,
  callOutcomesBytes: 67_108_864,
  /** Kept outcomes of one identity, or of one address without an identity: an eighth. */
  callerOutcomesBytes: 8_388_608,
  /** The time for which a repeat waits for the call that still runs. */
  callWaitMs: 60_000,
  /** The length of the writes without an answer: of streams, in the store or at workers that serve them, and of state. */
  pendingWriteChars: 268_435_456,
  /** The streams that workers may serve in one run of the engine. */
  backendStreams: 10_000,
  /** The writes that wait for workers that serve streams. A further write gets `OVERLOADED`. */
  backendWrites: 65_536,
  /** The writes to workers that serve streams whose time is over and whose answer is still missing. */
  backendLateWrites: 16_384,
  /** The operations of one update call. */
  updateOps: 1_024,
  /** One message in a channel. The client of Python accepts less than 1 MiB. */
  channelMessageBytes: 1_048_575,
  /** The messages that a channel holds by default, and the most that its creator may request. */
  channelMessages: 64,
  channelMessagesAsked: 1_024,
  /** The bytes in a channel above which its writer waits: before the reader comes, and after that. */
  channelBytes: 8_388_608,
  channelReadBytes: 524_288,
  /** The bytes in all channels of trusted workers above which their writers wait. The channels of HTTP requests have the same bound. */
  channelsBytes: 268_435_456,
  /** The bytes in the channels of all guest sessions above which their writers wait. */
  sessionChannelsBytes: 67_108_864,
  /** The bytes in the channels of one guest session above which their writers wait. */
  guestChannelBytes: 2_097_152,
  /** The unsent bytes of the sockets of readers, of all channels that one guest session created. */
  guestChannelUnsentBytes: 2_097_152,
  /** The bytes of unfinished messages of the writers, of all channels that one guest session created. */
  guestChannelUnfinishedBytes: 4_194_304,
  /** The channels of all trusted workers together, and of one trusted worker. */
  channels: 65_536,
  channelsPerWorker: 16_384,
  /** The channels of all guest sessions together, and of one guest session. */
  sessionChannels: 16_384,
  channelsPerSession: 256,
  /** The time that each step of the start of an adapter may take: the import of its file, `createStore` and `start`. */
  adapterStartMs: 60_000,
  /** The time after which a channel without a connection is removed. The engine checks every 60 s. */
  channelIdleMs: 300_000,
  /** The JSON body of an HTTP request. The engine does not hold other bodies. */
  httpJsonBodyBytes: 8_000_000,
  /** All bodies of HTTP requests that are received whole: JSON, and small bodies. */
  httpBodiesBytes: 67_108_864,
  /** An HTTP body of announced length that is received whole before the request takes its slot. */
  httpSmallBodyBytes: 65_536,
  /** The time after which a body must keep the pace below, and that pace in bytes per second. */
  httpBodyGraceMs: 5_000,
  httpBodyPaceBytes: 512,
  /** The path of an `http` trigger, in UTF-8. */
  httpPathBytes: 2_048,
  /** The segments of that path. */
  httpPathSegments: 32,
  /**
   * The sets of parameter places among the paths with the same number of segments. Trusted workers and guest sessions have this bound each.
   */
  httpPathShapes: 256,
  /** The headers that a function sets on a response. */
  httpResponseHeaderBytes: 65_536,
  /** The connections of the HTTP listener. */
  httpConnections: 16_384,
  /** The connections of one address that wait for their client. */
  waitingPerAddress: 1_024,
  /** The unanswered requests of one HTTP connection, and the length of their heads. */
  httpPipelined: 8,
  httpPipelinedChars: 20_480,
  /** The headers of one HTTP request. */
  httpHeaders: 128,
  /** The requests that wait while `concurrency_request_limit` others run. */
  httpWaiting: 16_384,
  /** The bytes of all values that HTTP clients have not read yet. Values of at most 16 KiB do not count. */
  httpUnsentBytes: 268_435_456,
  /** The context that middleware gives to later functions, as JSON. */
  httpContextChars: 65_536,
  /** The time in which a function that returned nothing must open the response channel. */
  httpResponseGraceMs: 5_000,
  /** The time after which an HTTP client is dropped that reads nothing of its response. */
  httpStallMs: 60_000,
  /** The time for which the engine reads and drops the rest of a body, so that the client sees the answer. */
  httpUnreadBodyMs: 2_000,
  /** The connections of a worker or stream listener. */
  listenerConnections: 65_536,
  /** The upgrades of one listener that wait for a decision, and the length of their heads. */
  pendingUpgrades: 16_384,
  pendingUpgradeChars: 33_554_432,
  /** The bytes that may come in one piece with an upgrade request. */
  earlyBytes: 4_096,
  /** The connections to `/otel` of one listener, and those of one address. */
  telemetrySockets: 8_192,
  telemetrySocketsPerAddress: 1_024,
  /** One frame on `/otel`. */
  telemetryFrameBytes: 262_144,
  /** The head of an HTTP request or upgrade. */
  headerBytes: 16_384,
  /** The headers of an HTTP upgrade request. */
  headers: 64,
  /** The connections of the admin listener. */
  adminConnections: 256,
  /**
   * The calls and writes of the admin listener that run at the same time, its files of the inspector, and its other requests that read more
   * than a probe. With the connections to `/live` they are fewer than all connections, so a probe always finds one.
   */
  adminWrites: 184,
  adminFiles: 16,
  adminReads: 32,
  /** The unanswered requests of one connection of the admin listener. */
  adminPipelined: 4,
  /** The time in which a request to the admin listener must be whole. */
  adminRequestMs: 30_000,
  /** The body of one request to the admin listener, and the bodies of all its open requests. */
  adminBodyBytes: 8_388_608,
  adminBodiesBytes: 33_554_432,
  /** The rows of one page of the admin listener, and the length of the names in it. */
  adminPageRows: 1_000,
  adminPageChars: 1_048_576,
  /** The items in one page of the admin listener. */
  adminItemsBytes: 1_048_576,
  /** The names or rows that one search of the admin listener reads, and the length of the items that it reads. */
  adminSearchRows: 10_000,
  adminSearchChars: 33_554_432,
  /** One schema or config that the admin listener shows. */
  adminSchemaChars: 65_536,
  /** The samples that the overview of the admin listener has, one for each second. */
  overviewSamples: 300,
  /** The warnings and errors of the log that the admin listener shows, and those of one event. */
  recentLogLines: 200,
  recentLogLinesOfEvent: 20,
  /** The longest `timeout_ms` of a call through the admin listener. */
  adminCallMs: 300_000,
  /**
   * The connections of `/live` on the admin listener. Together with its requests they are fewer than its connections, so a probe always
   * finds one.
   */
  liveConnections: 16,
  /** The joins of one of these connections. */
  liveJoins: 256,
  /** The joins, messages and bytes of one of these connections in a second. */
  liveJoinsPerSecond: 100,
  liveFramesPerSecond: 1_000,
  liveInboundBytes: 1_048_576,
  /** The files of the inspector, and their bytes. */
  inspectorFiles: 64,
  inspectorBytes: 8_388_608,
  /** The entries of each ring that `GET /api/why` reads, and the time for which an entry counts. */
  whyEntries: 10_000,
  whyKeepMs: 900_000,
  /** The texts of the entries of one such ring. */
  whyChars: 4_194_304,
  /** The flushes of one group whose times the engine remembers, and those of all groups. */
  whyFlushes: 256,
  whyFlushesOfAll: 2_621_440,
  /** The joins that the engine remembers of a session that has ended. */
  whyEndedJoins: 8,
  /** The items that the engine remembers of a call whose writes were refused. */
  whyBatchItems: 64,
  /** The changes of a group that one answer of `GET /api/why` reads, to find out whether an item was deleted, and their length. */
  whyReadChanges: 100_000,
  whyReadChars: 33_554_432,
  /** The commands that speak with a running engine at the same time, through the socket in its data directory. */
  controlConversations: 8,
  /** One line between a command and the engine. */
  controlLineBytes: 1_048_576,
  /** The time for which a backup holds writes back at most, while it waits for the transactions that are in flight. */
  backupHoldMs: 5_000,
  /** The time in which a command that copies a running engine must report. */
  backupSilenceMs: 30_000,
} as const;
