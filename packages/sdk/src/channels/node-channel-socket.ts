import type { Socket } from 'node:net';
import { type ClientOptions, WebSocket } from 'ws';
import { type ChannelLiveness, watch } from './channel-liveness.js';

const HANDSHAKE_MS = 10_000;
const RECEIVE_BYTES = 16_777_216;
/** Pause before the kernel asks a silent peer whether it is there. */
const KEEP_ALIVE_MS = 30_000;

/** What the types of `ws` lack. */
interface SocketOptions extends ClientOptions {
  readonly closeTimeout?: number;
}

export interface ChannelSocketOptions {
  readonly url: string;
  readonly liveness: ChannelLiveness;
  /** Milliseconds that the close handshake may take. Default: 30,000. */
  readonly closeTimeoutMs?: number;
  /** As in `Watched`. */
  readonly resting: (socket: WebSocket) => boolean;
  /** Goes with each ping, and comes back with its pong. */
  readonly mark?: () => string;
  /** The socket was given up; its `close` event follows. */
  readonly onSilent: (reason: string) => void;
}

/** One end of a channel, which is pinged while it is open and dropped when it stays silent. */
export function openChannelSocket(options: ChannelSocketOptions): WebSocket {
  const { url, liveness, closeTimeoutMs, resting, mark = () => '', onSilent } = options;
  const socketOptions: SocketOptions = {
    perMessageDeflate: false,
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: RECEIVE_BYTES,
    ...(closeTimeoutMs === undefined ? {} : { closeTimeout: closeTimeoutMs }),
  };
  const socket = new WebSocket(url, socketOptions);
  let raw: Socket | undefined;
  socket.once('upgrade', (response) => {
    raw = response.socket;
    raw.setKeepAlive(true, KEEP_ALIVE_MS);
  });
  socket.once('open', () => {
    let pinged: string | undefined;
    const unwatch = watch(
      {
        get received() {
          return raw?.bytesRead ?? 0;
        },
        get resting() {
          return resting(socket);
        },
        ping: () => {
          if (socket.readyState !== WebSocket.OPEN) return;
          const marked = mark();
          // One is answered when the rest is over; more of them would only pile up.
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

/** A socket that can't send closes, and that is told. */
function ignored(): void {}
