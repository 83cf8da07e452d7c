/** Sends one text to the engine: a message of a WebSocket, or a request of HTTP. */
export type Send = (text: string) => void;

/** A stream client for histories, by WebSocket or by plain HTTP. The caller owns its connections. */
export interface WatchingClient {
  readonly name: string;
  /** The identity of its user. */
  readonly who: string;
  readonly online: boolean;
  /** Number of changes that the application has seen. */
  readonly shown: number;
  /** Whether every target that is joined has a complete state. */
  readonly whole: boolean;
  /** Notes a new connection. */
  connected(send: Send): void;
  /** Reads bytes of the connection. */
  read(bytes: Buffer): void;
  /** Notes that the connection ended. */
  lost(): void;
  /** Records the state of each joined target. */
  recordStates(): void;
  /** Returns whether every state of a whole group has this value of the item. `values` has a value for each group. */
  holds(item: string, values: ReadonlyMap<string, string>): boolean;
}
