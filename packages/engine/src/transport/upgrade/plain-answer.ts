import type { IncomingMessage, ServerResponse } from 'node:http';

/** The answers of a WebSocket listener to requests that are no upgrades. */
export interface PlainAnswer {
  /** `stream`, `worker` or `guest`. */
  readonly listener: string;
  /** Paths on which a `GET` returns the name of the listener. */
  readonly paths: readonly string[];
  /** Status of that answer: 200 on the stream listener, 426 elsewhere, because a client there has the wrong port. */
  readonly status: 200 | 426;
}

/**
 * Answers a plain HTTP request. `GET /` returns the name of the listener, and pages of any origin may read it. So a client that can't
 * connect learns which listener has this port. All other requests get 426, and so does an upgrade whose `Upgrade` header was dropped by a
 * proxy.
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
