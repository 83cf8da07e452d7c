import type { OpenSocket, Socket, SocketEvents } from './socket.js';

/** The members that the sockets of browsers, of Node 22 and of `ws` have in common. */
export interface WebSocketLike {
  readonly bufferedAmount: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/** The members that the client uses. All classes have the handlers as properties. Only `ws` has the optional members. */
interface Wire extends WebSocketLike {
  onopen: (() => void) | null;
  onerror: ((event: { readonly message?: string; readonly error?: { readonly code?: string } }) => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  readonly readyState: number;
  ping?: () => void;
  terminate?: () => void;
  on?: (event: 'ping' | 'pong', listener: () => void) => void;
}

const OPEN = 1;

/** Returns whether the sockets of a class can ping, as those of `ws` can. */
export function canPing(constructor: WebSocketConstructor): boolean {
  return 'ping' in constructor.prototype;
}

/** Opens a socket of a class. */
export function openSocketOf(constructor: WebSocketConstructor, url: string, protocols: string[], events: SocketEvents): Socket {
  const socket = new constructor(url, protocols) as Wire;
  socket.onopen = () => events.onOpen();
  let cause: string | undefined;
  // `onclose` follows and reports the end. Without this handler `ws` would throw the error.
  socket.onerror = ({ message, error }) => {
    cause = message || error?.code;
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') events.onText(data);
    else events.onActivity();
  };
  socket.onclose = ({ code, reason }) => events.onClose(cause === undefined ? { code, reason } : { code, reason, cause });
  socket.on?.('ping', () => events.onActivity());
  socket.on?.('pong', () => events.onActivity());
  return {
    send: (text) => socket.send(text),
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    close: (code, reason) => socket.close(code, reason),
    terminate: () => (socket.terminate === undefined ? socket.close() : socket.terminate()),
    ping: () => {
      if (socket.readyState === OPEN) socket.ping?.();
    },
  };
}

/** Opens the global `WebSocket`, which browsers have and Node has since version 22. It can send no headers and no pings. */
export const openWebSocket: OpenSocket = (url, events) => openSocketOf(WebSocket as unknown as WebSocketConstructor, url, [], events);
