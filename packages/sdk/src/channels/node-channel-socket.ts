import type { Socket } from 'node:net';
import { type ClientOptions, WebSocket } from 'ws';
import { type ChannelLiveness, watch } from './channel-liveness.js';

const HANDSHAKE_MS = 10_000;
const RECEIVE_BYTES = 16_777_216;
/** The pause after which the kernel probes a silent peer. */
const KEEP_ALIVE_MS = 30_000;

/** The options that the types of `ws` lack. */
interface SocketOptions extends ClientOptions {
  readonly closeTimeout?: number;
}

export interface ChannelSocketOptions {
  readonly url: string;
  readonly liveness: ChannelLiveness;
  /**
   * The milliseconds that the close handshake may take.
   * @default 30,000
   */
  readonly closeTimeoutMs?: number;
  /** As `resting` of `Watched`. */
  readonly resting: (socket: WebSocket) => boolean;
  /** Returns the payload of a ping. The pong repeats it. */
  readonly mark?: () => string;
  /** Called when the watch drops the socket. Its `close` event follows. */
  readonly onSilent: (reason: string) => void;
}

/** Opens the socket of one end of a channel. It is pinged while it is open, and dropped when it is dead. */
export function openChannelSocket(options: ChannelSocketOptions): WebSocket {
  const { url, liveness, closeTimeoutMs, resting, mark = () => '', onSilent } = options;
  const socketOptions: SocketOptions = {
    perMessageDeflate: false,
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: RECEIVE_BYTES,
    ...(closeTimeoutMs === undefined ? {} : { closeTimeout: closeTimeoutMs }),
  };
  const socket = new WebSocket(url, socketOptions);
  let raw: Socket | null | undefined;
  let heard = 0;
  const hear = () => {
    heard++;
  };
  socket.once('upgrade', (response: { readonly socket?: Socket | null }) => {
    raw = response.socket;
    raw?.setKeepAlive(true, KEEP_ALIVE_MS);
    // Bun replaces `ws` by a class of its own, which shows no socket. There only whole messages count.
    if (raw == null) for (const event of ['message', 'ping', 'pong']) socket.on(event, hear);
  });
  socket.once('open', () => {
    let pinged: string | undefined;
    const unwatch = watch(
      {
        get received() {
          return raw?.bytesRead ?? heard;
        },
        get resting() {
          return resting(socket);
        },
        ping: () => {
          if (socket.readyState !== WebSocket.OPEN) return;
          const marked = mark();
          // During a rest one ping is enough. It is answered after the rest, and more pings would only fill the socket.
          if (resting(socket) && marked === pinged) return;
          pinged = marked;
          socket.ping(marked, undefined, ignored);
        },
        drop: (reason) => {
          onSilent(reason);
          socket.terminate();
        },
      },
      liveness,
    );
    socket.once('close', unwatch);
  });
  return socket;
}

/** Ignores the result of a send. A socket that can't send closes, and its `close` event reports that. */
function ignored(): void {}
