import {
  BATCH_WRITES,
  ID_BYTES,
  JSON_DEPTH,
  JSON_NODES,
  LEASE_DATA_BYTES,
  REGISTRY_ID_BYTES,
  SERVER_FRAME_CHARS,
} from './shared-limits.js';

/** Bounds of the wire. Those marked configurable are defaults; docs/limits.md lists them all and a test compares the two. */
export const LIMITS = {
  /** UTF-8 bytes of a stream name, group id, item id, scope or key. */
  idBytes: ID_BYTES,
  /** UTF-8 bytes of the `identity` of an auth answer. */
  identityBytes: 256,
  /** Nesting of objects and arrays in one message. */
  jsonDepth: JSON_DEPTH,
  /** Objects, arrays and scalars in one message. */
  jsonNodes: JSON_NODES,
  /** Different keys in one message of a stream client or of a session with rules, and members of its objects of 128 and more. */
  guestKeys: 8_192,
  /** Bytes of one message of a worker; configurable (`max_message_bytes` of iii-worker-manager). */
  workerMessageBytes: 16_777_216,
  /** The same of a session with rules. */
  guestMessageBytes: 1_048_576,
  /** UTF-8 bytes of the value of one item, as JSON: the value before and the one after fit into one answer of the default size. */
  valueBytes: 8_000_000,
  /** Bytes of one message of a stream client; configurable (`max_message_bytes` of iii-stream). */
  clientMessageBytes: 262_144,
  /** Fragments of one incomplete WebSocket message. */
  fragments: 64,
  /** Chunks that the WebSocket parser holds of one incomplete frame. */
  bufferedChunks: 4_096,
  /** Milliseconds from the first fragment of a WebSocket message to its last. */
  messageAssemblyMs: 10_000,
  /** Calls that one worker connection may have in flight; configurable (`max_in_flight_calls`). */
  inFlightCalls: 65_536,
  /** Calls that one session with rules may have in flight, and UTF-16 code units of their frames. */
  guestInFlightCalls: 1_024,
  guestInFlightChars: 2_097_152,
  /** Bytes queued for one session with rules: beyond which it gets no call, no large answer, and is closed with 1013. */
  guestCallBacklogBytes: 2_097_152,
  guestAnswerBytes: 7_340_032,
  guestOutboundBytes: 8_388_608,
  /** Bytes queued for one worker connection before it is closed with 1013. */
  workerOutboundBytes: 67_108_864,
  /** Bytes queued for one worker connection beyond which no call is added: callers alone never fill the queue. */
  workerCallBacklogBytes: 33_554_432,
  /** UTF-8 bytes of a function id, trigger id, trigger type id or topic. */
  registryIdBytes: REGISTRY_ID_BYTES,
  /** UTF-8 bytes of `function_registration_prefix`. */
  registrationPrefixBytes: 256,
  /** Frames of one session with rules that wait while a registration hook decides. */
  heldFrames: 1_024,
  /** UTF-16 code units of those frames. */
  heldFrameChars: 1_048_576,
  /** Frames of one trusted worker that wait for its announcement, and their UTF-16 code units. */
  namespaceHeldFrames: 16_384,
  namespaceHeldChars: 33_554_432,
  /** Milliseconds that registrations wait for the announcement of their worker, which names its namespace. */
  namespaceGraceMs: 5_000,
  /** Namespaces, beside `default`, in which workers have functions or are connected. */
  namespaces: 1_024,
  /** Milliseconds after which the engine reports a trigger that waits for a type that nobody provides. */
  triggerWaitReportMs: 10_000,
  /** Different unknown keys of payloads and trigger configs that the engine logs of one worker connection. */
  unknownKeysLogged: 64,
  /** Functions, triggers and trigger types that one worker connection may register, each. */
  registrationsPerWorker: 10_000,
  /** UTF-16 code units of what they say of themselves, of one worker connection: ids, descriptions, formats, metadata and configs. */
  registrationChars: 67_108_864,
  /** The same of one session with rules. */
  registrationsPerGuest: 2_000,
  registrationCharsPerGuest: 524_288,
  /** The same of all trusted workers together, and of all sessions with rules. */
  registrations: 200_000,
  allRegistrationChars: 268_435_456,
  guestRegistrations: 50_000,
  // Less than one message of a worker, so that a list of all functions fits into one.
  guestRegistrationChars: 12_582_912,
  /** Bindings made by engine::register_trigger, of all workers together. */
  durableTriggers: 10_000,
  /** Triggers of type engine::functions-available that one worker connection may register; as many of engine::workers-available. */
  engineTriggersPerWorker: 16,
  /** Events of engine::workers-available that are kept for those who have not been told yet. */
  workerEvents: 1_024,
  /** UTF-16 code units of each text by which a worker describes itself. */
  labelChars: 256,
  /** UTF-16 code units of one message that a worker writes to the log of the engine. */
  workerLogChars: 4_096,
  /** Lines that one worker writes to the log of the engine in a second, and at once after a pause. */
  workerLogLinesPerSecond: 200,
  workerLogLinesBurst: 1_000,
  /** Lines that all workers write in a second. */
  workerLogsPerSecond: 2_000,
  /** Lines of one event that the engine logs in a second; the second value is that of level debug. */
  logLinesPerSecond: 10,
  debugLinesPerSecond: 100,
  /** Lines of all events that the engine logs in a second. */
  allLogLinesPerSecond: 4_000,
  /** Milliseconds that calls in flight may take to end when the engine stops. */
  drainMs: 10_000,
  /** Subscriptions of one stream connection; configurable (`max_subscriptions_per_connection`). */
  subscriptionsPerConnection: 256,
  /** Groups that nobody watches any more, kept for a client that reconnects, and bytes of their logs. */
  lingeringGroups: 10_000,
  lingeringLogBytes: 67_108_864,
  /** UTF-16 code units of one frame that the stream client reads; configurable there (`maxFrameChars`). */
  serverFrameChars: SERVER_FRAME_CHARS,
  /** Milliseconds in which a reader takes nothing of a large `sync` before it is closed. */
  snapshotStallMs: 60_000,
  /** Milliseconds for which a read view of the store is kept for a reader. */
  readViewMs: 5_000,
  /** Bytes that are written to the store while a view is open, before the view ends; half of the live bytes when that is more. */
  readViewBytes: 16_777_216,
  /** Bytes of all files that hold large answers for slow readers. */
  spoolBytes: 1_073_741_824,
  /** How many of these files may be open. */
  spoolFiles: 256,
  /** Milliseconds for which a stream connection is kept while the engine can't reach the store of anything that it watches. */
  cutOffMs: 30_000,
  /** Milliseconds over which those that end then are spread. */
  cutOffSpreadMs: 10_000,
  /** Milliseconds without its store after which an engine takes no more stream clients. */
  cutOffRefuseMs: 5_000,
  /** Bytes of one `sync`, or of the changes since an old position, that the engine builds once for many clients. */
  builtSyncBytes: 16_777_216,
  /** Bytes of all of them together. */
  builtSyncsBytes: 33_554_432,
  /** Items that live while a stream client does, held or in their grace time. */
  leases: 100_000,
  /** UTF-8 bytes of the data of one, as JSON. */
  leaseDataBytes: LEASE_DATA_BYTES,
  /** Milliseconds that one may outlive a connection that dropped. */
  leaseGraceMs: 600_000,
  /** Times in a second that a client may replace the data of its leases. */
  leaseUpdatesPerSecond: 10,
  /** Questions to the auth function of one listener that are open at one time. */
  authQuestions: 64,
  /** Requests that wait until one of these questions is answered. */
  authWaiting: 4_096,
  /** Refused credentials that one listener remembers, as digests. */
  authRefused: 10_000,
  /** Milliseconds for which a credential that the auth function refused is refused without a question. */
  authRefusedMs: 3_000,
  /** The same of a credential at which the auth function failed. */
  authFailedMs: 2_000,
  /** UTF-16 code units of the token in a `refresh`. */
  tokenChars: 16_384,
  /** Events that wait for one trigger binding before the oldest is dropped. */
  pendingPerTrigger: 10_000,
  /** UTF-16 code units of the events that wait for one trigger binding, and of those that run. */
  pendingTriggerChars: 33_554_432,
  /** UTF-16 code units of the events that wait for all trigger bindings and of those that run; an event counts once. */
  heldTriggerChars: 268_435_456,
  /** Writes that wait in a store before `OVERLOADED`. */
  queuedWrites: 65_536,
  /** Lists that wait in front of a store, in which some are read at the same time, before `OVERLOADED`. */
  queuedLists: 4_096,
  /** Writes of one `stream::batch`. */
  batchWrites: BATCH_WRITES,
  /** UTF-16 code units of the values before and after all writes of one `stream::batch`: its answer fits one message of the default size. */
  batchChars: 16_000_000,
  /** Least and most milliseconds that `ttl_ms` may say: a second, 30 days. */
  ttlLeastMs: 1_000,
  ttlMostMs: 2_592_000_000,
  /** Idempotency keys that a store remembers at one time, and the UTF-8 bytes of them and of their answers. */
  idempotencyKeys: 1_000_000,
  idempotencyBytes: 268_435_456,
  /** UTF-16 code units of the writes that are not answered: of streams, in the store or with workers that serve them, and of state. */
  pendingWriteChars: 268_435_456,
  /** Streams that workers may serve in one run of the engine. */
  backendStreams: 10_000,
  /** Writes that wait for workers that serve streams before `OVERLOADED`. */
  backendWrites: 65_536,
  /** Writes whose time is over and whose answers by workers that serve streams are still waited for. */
  backendLateWrites: 16_384,
  /** Operations of one update call. */
  updateOps: 1_024,
  /** Bytes of one message in a channel: Python's client takes less than 1 MiB. */
  channelMessageBytes: 1_048_575,
  /** Messages that a channel holds when its creator says nothing, and the most that it may ask for. */
  channelMessages: 64,
  channelMessagesAsked: 1_024,
  /** Bytes that a channel holds before its writer has to wait: until the reader comes, and from then on. */
  channelBytes: 8_388_608,
  channelReadBytes: 524_288,
  /** Bytes that all channels of trusted workers hold together before their writers wait; as many those of HTTP requests. */
  channelsBytes: 268_435_456,
  /** The same of sessions with rules. */
  sessionChannelsBytes: 67_108_864,
  /** The same of one session with rules. */
  guestChannelBytes: 2_097_152,
  /** Bytes that the sockets of readers have not sent, of all channels that one session with rules created. */
  guestChannelUnsentBytes: 2_097_152,
  /** Bytes of messages that the writers of the channels of one guest session have begun and not finished. */
  guestChannelUnfinishedBytes: 4_194_304,
  /** Channels that trusted workers have created and that are not over, of all together and of one. */
  channels: 65_536,
  channelsPerWorker: 16_384,
  /** The same of sessions with rules. */
  sessionChannels: 16_384,
  channelsPerSession: 256,
  /** Milliseconds that each step of the start of an adapter's file may take: its import, `createStore`, `start`. */
  adapterStartMs: 60_000,
  /** Milliseconds after which a channel that nobody is connected to is removed; noticed up to 60 s later. */
  channelIdleMs: 300_000,
  /** Bytes of a JSON body of an HTTP request; other bodies are not held. */
  httpJsonBodyBytes: 8_000_000,
  /** Bytes of the bodies of all HTTP requests that are received whole: JSON, and small ones. */
  httpBodiesBytes: 67_108_864,
  /** Bytes of an HTTP body of announced length that is received whole before the request takes its slot. */
  httpSmallBodyBytes: 65_536,
  /** Milliseconds after which a body must have come at the pace below, and that pace. */
  httpBodyGraceMs: 5_000,
  httpBodyPaceBytes: 512,
  /** UTF-8 bytes of the path of an `http` trigger. */
  httpPathBytes: 2_048,
  /** Segments of that path. */
  httpPathSegments: 32,
  /** Sets of places where the paths of one number of segments have their parameters; of trusted workers, and of sessions with rules. */
  httpPathShapes: 256,
  /** Bytes of the headers that a function may set on a response. */
  httpResponseHeaderBytes: 65_536,
  /** Connections of the HTTP listener. */
  httpConnections: 16_384,
  /** Connections of one address that wait for their client to send. */
  waitingPerAddress: 1_024,
  /** Requests of one HTTP connection that are not answered yet, and the UTF-16 code units of their heads. */
  httpPipelined: 8,
  httpPipelinedChars: 20_480,
  /** Headers of one HTTP request. */
  httpHeaders: 128,
  /** Requests that wait while `concurrency_request_limit` others are worked on. */
  httpWaiting: 16_384,
  /** Bytes of all values that HTTP clients have not taken yet, those of 16 KiB and less aside. */
  httpUnsentBytes: 268_435_456,
  /** UTF-16 code units of the context that middleware hands to later functions, as JSON. */
  httpContextChars: 65_536,
  /** Milliseconds that a function which answered nothing may take to open the response channel. */
  httpResponseGraceMs: 5_000,
  /** Milliseconds in which an HTTP client takes nothing of its response before it is dropped. */
  httpStallMs: 60_000,
  /** Milliseconds for which the rest of a body that nobody wants is read, so that the client sees the answer. */
  httpUnreadBodyMs: 2_000,
  /** Connections of a worker or stream listener. */
  listenerConnections: 65_536,
  /** Upgrades of one listener that wait for their verdict, and the UTF-16 code units of their heads. */
  pendingUpgrades: 16_384,
  pendingUpgradeChars: 33_554_432,
  /** Bytes that may come in one piece with an upgrade request. */
  earlyBytes: 4_096,
  /** Connections of `/otel` of one listener, and those of one address. */
  telemetrySockets: 8_192,
  telemetrySocketsPerAddress: 1_024,
  /** Bytes of one frame on `/otel`. */
  telemetryFrameBytes: 262_144,
  /** Bytes of the head of an HTTP request or upgrade. */
  headerBytes: 16_384,
  /** Headers of an HTTP upgrade request. */
  headers: 64,
} as const;
