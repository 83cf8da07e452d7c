/** Bounds of the wire. Those marked configurable are defaults; docs/limits.md lists them all and a test compares the two. */
export const LIMITS = {
  /** UTF-8 bytes of a stream name, group id or item id. */
  idBytes: 256,
  /** Nesting of objects and arrays in one message. */
  jsonDepth: 64,
  /** Objects, arrays and scalars in one message. */
  jsonNodes: 100_000,
  /** Bytes of one message of a worker; configurable (`max_message_bytes` of iii-worker-manager). */
  workerMessageBytes: 16_777_216,
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
  /** Bytes queued for one worker connection before it is closed with 1013. */
  workerOutboundBytes: 67_108_864,
  /** UTF-8 bytes of a function id, trigger id or trigger type id. */
  registryIdBytes: 1_024,
  /** Functions, triggers and trigger types that one worker connection may register, each. */
  registrationsPerWorker: 10_000,
  /** Bindings made by engine::register_trigger, of all workers together. */
  durableTriggers: 10_000,
  /** UTF-16 code units of each text by which a worker describes itself. */
  labelChars: 256,
  /** UTF-16 code units of one message that a worker writes to the log of the engine. */
  workerLogChars: 4_096,
  /** Milliseconds that calls in flight may take to end when the engine stops. */
  drainMs: 10_000,
  /** Subscriptions of one stream connection; configurable (`max_subscriptions_per_connection`). */
  subscriptionsPerConnection: 256,
  /** Milliseconds in which a reader takes nothing of a large `sync` before it is closed. */
  snapshotStallMs: 60_000,
  /** Events that wait for one trigger binding before the oldest is dropped. */
  pendingPerTrigger: 10_000,
  /** Writes that wait in a store before `OVERLOADED`. */
  queuedWrites: 65_536,
  /** Operations of one update call. */
  updateOps: 1_024,
  /** Bytes of an HTTP upgrade request head. */
  headerBytes: 16_384,
  /** Headers of an HTTP upgrade request. */
  headers: 64,
} as const;
