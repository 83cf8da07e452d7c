/** How and why a connection ended: a WebSocket close code, or 1006 where there was no close frame. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
  /** Why it did not open, as the runtime says it. Browsers never do. */
  readonly cause?: string;
}

/** What a socket tells. After `onClose` it tells nothing more; before it, at most one `onOpen`. */
export interface SocketEvents {
  onOpen(): void;
  onText(text: string): void;
  /** A sign of life that is no text frame, such as a pong. */
  onActivity(): void;
  onClose(closed: Closed): void;
}

/** One WebSocket, of whatever runtime. Its methods do not throw. */
export interface Socket {
  send(text: string): void;
  /** Bytes handed over and not yet sent. */
  readonly bufferedAmount: number;
  /** Begins a close handshake. */
  close(code: number, reason: string): void;
  /** Ends it at once, as far as the runtime can. */
  terminate(): void;
  /** A WebSocket ping; absent where the runtime has none to offer (browsers). */
  readonly ping?: () => void;
}

/** Opens a socket and tells its events, never before it has returned. May throw for a URL that can't be used. */
export type OpenSocket = (url: string, events: SocketEvents) => Socket;
