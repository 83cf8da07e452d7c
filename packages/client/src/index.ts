import type { ConnectOptions } from './client-options.js';
import { StreamClient } from './stream-client.js';

export type { Position } from '@rivulet/protocol';
export { StreamError, type StreamErrorCode } from './access/stream-error.js';
export type { OptimisticPart } from './calls/call-overlay.js';
export type { CallGroup, CallOptions, CallsOptions, Draft, DraftGroup } from './calls/call-types.js';
export type { ClientRuntime, ConnectOptions, TokenReason } from './client-options.js';
export type { ConnectionState } from './connection/connection-state.js';
export type { WebSocketConstructor, WebSocketLike } from './connection/web-socket.js';
export { indexedDbStore } from './persistence/indexed-db-store.js';
export type { PersistBatch, PersistedHead, PersistedItem, PersistStore } from './persistence/persist-store.js';
export type { StreamClient } from './stream-client.js';
export type { InitialState } from './subscription/initial-state.js';
export type { Unsubscribe } from './subscription/listeners.js';
export type { Item } from './subscription/mirror.js';
export type { Change, Gap, Reset, StreamEvent } from './subscription/replica.js';
export type { Status } from './subscription/subscription-phase.js';
export type { GroupView, ItemView, View, ViewListeners, ViewOptions } from './subscription/view.js';

/**
 * Connects to the stream listener of an engine. The client connects at once, and again whenever the connection is lost, until `close` is
 * called. Throws a `StreamError` only for arguments that can't work: `INVALID_URL`, `INSECURE_URL` or `INVALID_OPTIONS`. Connection
 * failures are reported to `onError`.
 *
 * `Streams` is a map from the name of a stream to the type of its items. `Functions` is a map from the id of a function to the types of its
 * `payload` and `result`. The types of views and calls follow from them. Without the maps, a page states the types where it uses them.
 */
export function connect<Streams = unknown, Functions = unknown>(url: string, options?: ConnectOptions): StreamClient<Streams, Functions> {
  return new StreamClient(url, options ?? {});
}
