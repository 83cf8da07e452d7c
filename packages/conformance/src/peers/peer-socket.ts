import { type ClientOptions, WebSocket } from 'ws';

/** The server answered an upgrade with an HTTP status. */
export class UpgradeRefused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the upgrade was answered with HTTP ${status}`);
    this.status = status;
  }
}

/** The largest message that a peer takes, in bytes. A larger one closes the socket with 1009. */
const MAX_PAYLOAD = 64 * 1_024 * 1_024;

/**
 * Opens a socket to the server under test. `prepare` runs before the handshake and adds the listeners, so that they miss no frame. Rejects
 * with `UpgradeRefused`, or with the error of the connection.
 */
export function openSocket(
  url: string,
  prepare: (socket: WebSocket) => void,
  {
    handshakeTimeout,
    protocols = [],
    ...options
  }: Omit<ClientOptions, 'handshakeTimeout'> & { handshakeTimeout: number; protocols?: readonly string[] },
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, [...protocols], { perMessageDeflate: false, maxPayload: MAX_PAYLOAD, handshakeTimeout, ...options });
    prepare(socket);
    socket.once('open', () => resolve(socket));
    socket.on('error', reject);
    socket.once('unexpected-response', (request, response) => {
      reject(new UpgradeRefused(response.statusCode ?? 0));
      response.resume();
      request.destroy();
    });
  });
}

/** Resolves with the milliseconds between a ping and its pong. All frames that the server sent before have arrived then. */
export function roundTrip(socket: WebSocket, patienceMs: number): Promise<number> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no pong within ${patienceMs} ms`)), patienceMs);
    socket.once('pong', () => {
      clearTimeout(timer);
      resolve(performance.now() - start);
    });
    socket.ping();
  });
}

export function jsonOf(data: unknown): Readonly<Record<string, unknown>> {
  const text = Buffer.isBuffer(data) ? data.toString() : '';
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  } catch {
    // The value below shows the text in the message of the case that waits for a frame.
  }
  return { 'not an object': text.slice(0, 200) };
}

export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** Resolves as the promise does. Rejects with the name of the awaited event when it is not in time. */
export async function within<T>(promise: Promise<T>, patienceMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${patienceMs} ms`)), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
