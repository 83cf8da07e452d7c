import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

const LEAST_RESERVE = 16;
const MOST_RESERVE = 256;

/** Closes the connection that has waited longest. Returns `false` if none waits. */
type EvictIdle = () => boolean;

/**
 * Keeps some file descriptors free for files and for connections that the engine opens itself. When no descriptor is left, libuv closes new
 * connections without any event. With the reserve, the engine sees each connection that it cannot keep.
 *
 * The system always gives the lowest free number. So the first connection whose number lies in the reserve shows exactly how many
 * descriptors are open. From then on the reserve counts connections, until all its numbers are free again.
 */
export class DescriptorReserve {
  /** Descriptors that the process may open. */
  readonly limit: number;
  readonly #usable: number;
  readonly #evictors = new Set<EvictIdle>();
  /** Open connections of all listeners. The value says whether the number of the descriptor lies in the reserve. */
  readonly #connections = new Map<Socket, boolean>();
  #inReserve = 0;
  /** Open descriptors that are no connections, at the latest exact count. */
  #others = 0;

  /** Without a `limit` nothing is known, and the reserve never reports a shortage. */
  constructor(limit: number | undefined) {
    this.limit = limit ?? Number.POSITIVE_INFINITY;
    this.#usable = this.limit - Math.min(MOST_RESERVE, Math.max(LEAST_RESERVE, Math.floor(this.limit / 32)));
  }

  /** Returns the reserve for the limit that the system has set for this process. */
  static ofProcess(): DescriptorReserve {
    try {
      const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
      return new DescriptorReserve(soft === undefined ? undefined : Number(soft));
    } catch {
      return new DescriptorReserve(undefined);
    }
  }

  /** Open connections of all listeners. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Adds a listener whose idle connections may be closed when another listener needs a descriptor. */
  addListener(evictIdle: EvictIdle): void {
    this.#evictors.add(evictIdle);
  }

  removeListener(evictIdle: EvictIdle): void {
    this.#evictors.delete(evictIdle);
  }

  /** Counts a new connection. Returns `true` if it has taken one descriptor too many. */
  add(socket: Socket): boolean {
    const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: number } | null };
    const number = handle?.fd ?? -1;
    const reserved = number >= this.#usable;
    this.#connections.set(socket, reserved);
    if (reserved && this.#inReserve === 0) this.#others = number + 1 - this.#connections.size;
    if (reserved) this.#inReserve++;
    return this.#inReserve > 0 && this.#others + this.#connections.size > this.#usable;
  }

  /** Notes that the descriptor of a connection is free again. Idempotent. */
  delete(socket: Socket): void {
    if (this.#connections.get(socket) === true) this.#inReserve--;
    this.#connections.delete(socket);
  }

  /** Closes an idle connection, preferably one of the caller's listener. Returns `false` if no listener has any. */
  evictIdle(own: EvictIdle): boolean {
    if (own()) return true;
    for (const evict of this.#evictors) if (evict !== own && evict()) return true;
    return false;
  }
}
