import type { IncomingHttpHeaders } from 'node:http';

/** The facts about a WebSocket upgrade on which a gateway decides. */
export interface UpgradeRequest {
  /** Path as the client sent it, still percent-encoded, without the query. */
  readonly path: string;
  /** Query as the client sent it, without the question mark. The engine never logs it. */
  readonly rawQuery: string;
  readonly headers: IncomingHttpHeaders;
  /** Sub-protocols in the order of the offer. */
  readonly protocols: readonly string[];
  /** Address of the client that a trusted proxy names, else of the peer of the socket. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The key by which limits count clients. See `ClientAddress`. */
  readonly addressGroup: string;
  /** Scheme by which the client reached a trusted proxy. `undefined` when no proxy names it. */
  readonly scheme: 'http' | 'https' | undefined;
  /** Calls `callback` once when the client leaves. Returns a function that stops this. Absent where a client cannot leave. */
  readonly whenGone?: (callback: () => void) => () => void;
}
