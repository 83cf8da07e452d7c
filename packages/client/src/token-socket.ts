import { NO_TOKEN } from './access/connect-failure.js';
import { addressWith } from './access/stream-address.js';
import type { ConnectOptions, TokenReason } from './client-options.js';
import type { OpenSocket, Socket, SocketEvents } from './connection/socket.js';

/**
 * Returns a function that opens a socket with a token. With `getToken` or `ready` the real socket is made when the token is there. The
 * socket that the function returns stands for it and is not open until then.
 *
 * @param ready The first socket waits for it. Must not reject.
 */
export function openWithToken(
  url: URL,
  { getToken, token, tokenAs }: ConnectOptions,
  ready: Promise<void> | undefined,
  reason: () => TokenReason,
  open: (url: string, protocols: string[], events: SocketEvents) => Socket,
  used: (token: string | undefined) => void,
  failed: (cause: unknown) => void,
): OpenSocket {
  const openWith = (given: string | undefined, events: SocketEvents) => {
    used(given);
    const address = addressWith(url, given, tokenAs);
    return open(address.url, address.protocols, events);
  };
  let waitsFor = ready;
  return (_url, events) => {
    if (!getToken && !waitsFor) return openWith(token, events);
    let socket: Socket | undefined;
    let ended = false;
    const request = async () => {
      const first = waitsFor;
      waitsFor = undefined;
      await first;
      const given = getToken ? await getToken(reason()) : token;
      if (!ended) socket = openWith(given, events);
    };
    request().catch((error: unknown) => {
      if (ended) return;
      failed(error);
      events.onClose({ code: 1006, reason: NO_TOKEN });
    });
    return {
      send: (text) => socket?.send(text),
      get bufferedAmount() {
        return socket?.bufferedAmount ?? 0;
      },
      close: (code, why) => socket?.close(code, why),
      terminate: () => {
        ended = true;
        socket?.terminate();
      },
      ping: () => socket?.ping?.(),
    };
  };
}
