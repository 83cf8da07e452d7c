/** How a connection ended. `code` is the WebSocket close code, or 1006 without a close frame. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
  /** Why the connection did not open, in the words of the runtime. Browsers give no cause. */
  readonly cause?: string;
}

/** The events of a socket. `onOpen` comes at most once. No event comes after `onClose`. */
export interface SocketEvents {
  onOpen(): void;
  onText(text: string): void;
  /** Called for a sign of life that is no text frame, such as a pong. */
  onActivity(): void;
  onClose(closed: Closed): void;
}

/** One WebSocket of any runtime. Its methods do not throw. */
export interface Socket {
  send(text: string): void;
  /** The bytes that were handed over and are not sent yet. */
  readonly bufferedAmount: number;
  /** Begins the close handshake. */
  close(code: number, reason: string): void;
  /** Ends the socket at once. A runtime that can't do that begins the close handshake. */
  terminate(): void;
  /** Sends a WebSocket ping. Absent where the runtime can't ping, as in browsers. */
  readonly ping?: () => void;
}

/** Opens a socket. Its events come after the function has returned. May throw for a URL that can't be used. */
export type OpenSocket = (url: string, events: SocketEvents) => Socket;
