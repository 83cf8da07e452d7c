import type { ConnectOptions } from './client-options.js';
import { StreamClient } from './stream-client.js';

export type { Position } from '@rivulet/protocol';
export type { ClientRuntime, ConnectOptions, TokenReason } from './client-options.js';
export type { ConnectionState } from './connection-state.js';
export { indexedDbStore } from './indexed-db.js';
export type { Unsubscribe } from './listeners.js';
export type { Item } from './mirror.js';
export type { PersistBatch, PersistedHead, PersistedItem, PersistStore } from './persist-store.js';
export type { Change, Gap, Reset, StreamEvent } from './replica.js';
export type { StreamClient } from './stream-client.js';
export { StreamError, type StreamErrorCode } from './stream-error.js';
export type { Status } from './subscription.js';
export type { GroupView, ItemView, View, ViewListeners } from './view.js';
export type { WebSocketConstructor, WebSocketLike } from './web-socket.js';

/**
 * Connects to the stream listener of an engine, at once and again whenever the connection is lost, until it is closed. Throws a `StreamError` for
 * arguments that can't work (`INVALID_URL`, `INSECURE_URL`, `INVALID_OPTIONS`), and for nothing else.
 */
export function connect(url: string, options?: ConnectOptions): StreamClient {
  return new StreamClient(url, options ?? {});
}
