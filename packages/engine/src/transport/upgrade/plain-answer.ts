import type { IncomingMessage, ServerResponse } from 'node:http';

/** How a listener of WebSockets answers requests that are no upgrades. */
export interface PlainAnswer {
  /** `stream`, `worker` or `guest`. */
  readonly listener: string;
  /** Paths whose `GET` tells which listener this is. */
  readonly paths: readonly string[];
  /** Of that answer. The stream listener is asked on purpose; at another one the client has the wrong port. */
  readonly status: 200 | 426;
}

/**
 * `GET /` names the listener, readable by pages of any origin, so that a client that can't connect learns what has this port. Everything
 * else is answered 426, as is an upgrade whose `Upgrade` header a proxy has dropped.
 */
export function answerPlain(request: IncomingMessage, response: ServerResponse, { listener, paths, status }: PlainAnswer): void {
  const [path = ''] = (request.url ?? '').split('?', 1);
  const asksWho = request.method === 'GET' && paths.includes(path) && request.headers['sec-websocket-key'] === undefined;
  const code = asksWho ? status : 426;
  const type = asksWho ? 'application/json' : 'text/plain';
  const headers = { connection: 'close', 'content-type': type, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
  const upgrade = code === 426 ? { upgrade: 'websocket' } : {};
  const readable = asksWho ? { 'access-control-allow-origin': '*' } : {};
  // oxlint-disable-next-line eslint/no-restricted-properties -- constant names and values
  response.writeHead(code, { ...headers, ...upgrade, ...readable });
  response.end(asksWho ? `${JSON.stringify({ listener, engine: 'rivulet' })}\n` : 'This port speaks WebSocket only.\n');
}
