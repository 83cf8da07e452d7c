import type { OpenSocket } from '@rivulet/client/connection';
import { WORKER_OUTBOUND_BYTES } from '@rivulet/protocol';
import { WebSocket } from 'ws';

const HANDSHAKE_MS = 10_000;

/** Returns a function that opens a WebSocket of the package `ws`, which can send headers and pings. */
export function openNodeSocket(headers: Readonly<Record<string, string>>): OpenSocket {
  return (url, events) => {
    const socket = new WebSocket(url, {
      headers,
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_MS,
      maxPayload: WORKER_OUTBOUND_BYTES,
    });
    let why = '';
    socket.on('open', () => events.onOpen());
    socket.on('message', (data, binary) => {
      if (binary) events.onActivity();
      else events.onText((data as Buffer).toString());
    });
    socket.on('pong', () => events.onActivity());
    socket.on('ping', () => events.onActivity());
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // If a name has two addresses and both refuse, the error of Node has no message.
      why = error.message || (error.code ?? '');
    });
    socket.on('close', (code, reason) => events.onClose({ code, reason: reason.toString() || why }));
    return {
      send: (text) => socket.send(text, ignored),
      get bufferedAmount() {
        return socket.bufferedAmount;
      },
      close: (code, reason) => socket.close(code, reason),
      terminate: () => socket.terminate(),
      ping: () => {
        if (socket.readyState === WebSocket.OPEN) socket.ping(undefined, undefined, ignored);
      },
    };
  };
}

/** Ignores the result of a send. A socket that can't send closes, and its `close` event reports that. */
function ignored(): void {}
