import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ErrorCode, LIMITS, percentEncode, RivuletError } from '@rivulet/protocol';

/** Seconds in `Retry-After` of an answer with status 503. */
const RETRY_AFTER_S = 5;
/** Seconds for which a browser may keep the answer to a preflight request. */
const PREFLIGHT_S = 600;
/** Seconds for which nginx keeps an answer without changes. It lets waiting requests look for an answer every half second. */
const IDLE_S = 1;

/** How caches may use an answer (rule RV-55). */
export type CacheRule =
  /** The present state: it must be revalidated, and proxies may serve it for a second. */
  | 'state'
  /** Changes after a position: later answers only add to them. */
  | 'changes'
  /** No change came while the read waited: only nginx keeps it, for the other requests that waited with this one. */
  | 'idle'
  | 'none';

/** An answer to a plain request. */
export interface Answer<Status extends number = 200 | 304 | 400 | 401 | 403 | 404 | 503> {
  readonly status: Status;
  /** JSON in UTF-8; `undefined` for an answer without a body. The buffer may be shared. */
  readonly body: Buffer | undefined;
  readonly etag?: string | undefined;
  readonly cache: CacheRule;
  /** Whether the connection ends with this answer. @default false */
  readonly closes?: boolean;
}

/** The parts of a request on which the headers of its answer depend. */
export interface AnswerTo {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Origins whose pages may read. Empty means any. */
  readonly allowedOrigins: readonly string[];
  /** The answer depends on who asks, so no cache may keep it. */
  readonly isPrivate: boolean;
  /** The connection ends with this answer. */
  readonly closes: boolean;
}

export function errorAnswer(status: Answer['status'], code: ErrorCode, message: string): Answer {
  return { status, body: Buffer.from(JSON.stringify({ error: { code, message } })), cache: 'none', closes: code === 'ENGINE_STOPPING' };
}

/** Returns the answer to a request whose read failed; `undefined` when the error is not one of the engine. */
export function failureAnswer(error: unknown): Answer | undefined {
  if (!(error instanceof RivuletError)) return undefined;
  const isOfCaller = error.code === 'INVALID_ARGUMENTS' || error.code === 'INVALID_ID';
  return errorAnswer(isOfCaller ? 400 : 503, error.code, error.message);
}

/** Returns whether the client has left. A response behind an earlier one of its connection does not notice this itself. */
export function hasLeft({ request, response }: Pick<AnswerTo, 'request' | 'response'>): boolean {
  return response.destroyed || request.socket.destroyed;
}

/** Sends an answer. A client that takes nothing of it for `LIMITS.httpStallMs` is dropped. */
export function send(answer: Answer<number>, to: AnswerTo): void {
  const { request, response } = to;
  const { status, body, etag } = answer;
  if (hasLeft(to) || response.headersSent) return;
  const headers: Record<string, string | number> = { ...readHeaders(to) };
  // Before `cache-control`, because nginx below 1.23 obeys the first of them.
  if (answer.cache === 'idle' && !to.isPrivate) headers['x-accel-expires'] = IDLE_S;
  headers['cache-control'] = cacheControl(answer.cache, to.isPrivate);
  if (body !== undefined) {
    headers['content-type'] = 'application/json';
    headers['content-length'] = body.length;
  }
  if (etag !== undefined) headers['etag'] = etag;
  if (status === 503 || status === 429) headers['retry-after'] = RETRY_AFTER_S;
  if (to.closes || answer.closes === true) headers['connection'] = 'close';
  response.setTimeout(LIMITS.httpStallMs, () => request.socket.destroy());
  // oxlint-disable-next-line eslint/no-restricted-properties -- constant names; values are constants, numbers, or of printable ASCII
  response.writeHead(status, headers);
  response.end(body);
}

/** Takes an answer in pieces, when it is too large to be built in memory. */
export interface AnswerStream {
  /** Bytes that the client has not taken yet. */
  readonly unsent: number;
  begin(): void;
  write(piece: string | Buffer): void;
  end(text: string): void;
  /** Drops the connection, because the answer can't be ended. */
  drop(): void;
}

/** Returns a way to send an answer of status 200 in pieces. No cache may keep it. */
export function streamTo(to: AnswerTo): AnswerStream {
  const { request, response } = to;
  // The body of an answer to HEAD counts as taken, because Node drops it.
  const isHead = request.method === 'HEAD';
  return {
    get unsent() {
      return isHead ? 0 : response.writableLength;
    },
    begin() {
      response.setTimeout(LIMITS.httpStallMs, () => request.socket.destroy());
      const headers = { ...readHeaders(to), 'cache-control': cacheControl('none', to.isPrivate), 'content-type': 'application/json' };
      // oxlint-disable-next-line eslint/no-restricted-properties -- constant names; values are constants, or an origin of the configuration
      response.writeHead(200, to.closes ? { ...headers, connection: 'close' } : headers);
    },
    write(piece: string | Buffer) {
      response.write(piece);
    },
    end(text: string) {
      response.end(text);
    },
    drop() {
      response.destroy();
    },
  };
}

/** Methods and headers that pages of other origins may send. */
export interface Preflight {
  readonly methods: string;
  readonly headers: string;
}

const READS: Preflight = { methods: 'GET, HEAD', headers: 'authorization, cache-control, if-none-match, last-event-id' };

/** Answers a preflight request of a browser. */
export function sendPreflight(to: AnswerTo, allowed: Preflight = READS): void {
  const headers: Record<string, string | number> = {
    ...readHeaders(to),
    'access-control-allow-methods': allowed.methods,
    'access-control-allow-headers': allowed.headers,
    'access-control-max-age': PREFLIGHT_S,
    'content-length': 0,
  };
  // oxlint-disable-next-line eslint/no-restricted-properties -- constant names; values are constants, or an origin of the configuration
  to.response.writeHead(200, headers);
  to.response.end();
}

/** Returns the headers of every answer. */
export function readHeaders({ request, allowedOrigins }: Pick<AnswerTo, 'request' | 'allowedOrigins'>): Record<string, string> {
  const { origin } = request.headers;
  const headers = { vary: 'Accept, Origin', 'x-content-type-options': 'nosniff', 'access-control-expose-headers': 'ETag, Retry-After' };
  if (allowedOrigins.length === 0) return { ...headers, 'access-control-allow-origin': '*' };
  if (origin === undefined || !allowedOrigins.includes(origin)) return headers;
  return { ...headers, 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' };
}

/** Returns the entity tag of a state: its position and page, in printable ASCII. */
export function entityTag(position: string, page: string): string {
  return `"${`${position}${page}`.replace(/[^\u0021\u0023-\u007e]/gu, percentEncode)}"`;
}

/** Returns whether `If-None-Match` names the tag, by the weak comparison of RFC 9110. */
export function namesTag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((part) => {
    const tag = part.trim();
    return tag === '*' || tag === etag || tag === `W/${etag}`;
  });
}

function cacheControl(rule: CacheRule, isPrivate: boolean): string {
  if (isPrivate) return 'private, no-store';
  switch (rule) {
    case 'state':
      return 'public, max-age=0, must-revalidate, s-maxage=1';
    case 'changes':
      return 'public, s-maxage=10';
    case 'idle':
    case 'none':
      return 'no-store';
    default:
      return rule satisfies never;
  }
}
