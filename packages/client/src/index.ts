import type { ConnectOptions } from './client-options.js';
import { StreamClient } from './stream-client.js';

export type { Position } from '@rivulet/protocol';
export { StreamError, type StreamErrorCode } from './access/stream-error.js';
export type { ClientRuntime, ConnectOptions, TokenReason } from './client-options.js';
export type { ConnectionState } from './connection/connection-state.js';
export type { WebSocketConstructor, WebSocketLike } from './connection/web-socket.js';
export { indexedDbStore } from './persistence/indexed-db.js';
export type { PersistBatch, PersistedHead, PersistedItem, PersistStore } from './persistence/persist-store.js';
export type { StreamClient } from './stream-client.js';
export type { Unsubscribe } from './subscription/listeners.js';
export type { Item } from './subscription/mirror.js';
export type { Change, Gap, Reset, StreamEvent } from './subscription/replica.js';
export type { Status } from './subscription/subscription-phase.js';
export type { GroupView, ItemView, View, ViewListeners } from './subscription/view.js';

/**
 * Connects to the stream listener of an engine. The client connects at once, and again whenever the connection is lost, until `close` is
 * called. Throws a `StreamError` only for arguments that can't work: `INVALID_URL`, `INSECURE_URL` or `INVALID_OPTIONS`. Connection
 * failures are reported to `onError`.
 */
export function connect(url: string, options?: ConnectOptions): StreamClient {
  return new StreamClient(url, options ?? {});
}
