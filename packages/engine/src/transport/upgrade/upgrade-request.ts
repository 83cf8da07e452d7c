import type { IncomingHttpHeaders } from 'node:http';

/** What a gateway may know of a WebSocket upgrade before it decides. */
export interface UpgradeRequest {
  /** Path as sent, still percent-encoded, without the query. */
  readonly path: string;
  /** Query as sent, without the question mark; never logged. */
  readonly rawQuery: string;
  readonly headers: IncomingHttpHeaders;
  /** Sub-protocols in the order offered. */
  readonly protocols: readonly string[];
  /** The client that a trusted proxy names, else the peer of the socket. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The key by which limits count clients, as in `ClientAddress`. */
  readonly addressGroup: string;
  /** How the client reached a trusted proxy; `undefined` when none says it. */
  readonly scheme: 'http' | 'https' | undefined;
  /** Calls back once when the client leaves; returns how to stop that. Absent where nobody can leave. */
  readonly whenGone?: (callback: () => void) => () => void;
}
