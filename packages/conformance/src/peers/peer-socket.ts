import { type ClientOptions, WebSocket } from 'ws';

/** An upgrade that the server answered with a status instead. */
export class UpgradeRefused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the upgrade was answered with HTTP ${status}`);
    this.status = status;
  }
}

/** The largest message that a peer takes; a server that sends more is closed with 1009. */
const MAX_PAYLOAD = 64 * 1_024 * 1_024;

/**
 * A socket to the server under test. `prepare` runs before the handshake, so that no first frame is missed. Rejects with `UpgradeRefused`,
 * or with the error of the connection.
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

/** A ping and its pong: what the server wrote before has come. */
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
    // Shown as it is: the case that waits for a frame says what came.
  }
  return { 'not an object': text.slice(0, 200) };
}

export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** Resolves when the socket is closed; rejects with what was awaited when it is not in time. */
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
