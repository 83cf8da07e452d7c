/** The members of `LIMITS` that pages need too. Each is a constant of its own, so a bundler leaves the others out. */
export const ID_BYTES = 256;
export const JSON_DEPTH = 64;
export const JSON_NODES = 100_000;
export const REGISTRY_ID_BYTES = 1_024;
export const SERVER_FRAME_CHARS = 67_108_864;
export const LEASE_DATA_BYTES = 16_384;
export const BATCH_WRITES = 1_024;
export const CALL_CONFIRMS = 8;
export const WORKER_OUTBOUND_BYTES = 67_108_864;
export const WORKER_MESSAGE_BYTES = 16_777_216;
export const REGISTRATIONS_PER_WORKER = 10_000;
export const WORKER_LOG_CHARS = 4_096;
