import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

const LEAST_RESERVE = 16;
const MOST_RESERVE = 256;

/** Closes the connection that has waited longest; false: none waits. */
type EvictIdle = () => boolean;

/**
 * Keeps some descriptors of the process back, for files and for connections that the engine opens itself. When no descriptor is left, libuv
 * closes new connections without any event; with the reserve, the engine sees each connection that it can't keep.
 *
 * The system gives out the lowest free number. So a number in the reserve, when no connection has one yet, says exactly how many
 * descriptors are open. From then on connections are counted, until all numbers of the reserve are free again.
 */
export class DescriptorReserve {
  /** Descriptors that the process may have open. */
  readonly limit: number;
  readonly #usable: number;
  readonly #evictors = new Set<EvictIdle>();
  /** Open connections of all listeners, each with whether its number lies in the reserve. */
  readonly #connections = new Map<Socket, boolean>();
  #inReserve = 0;
  /** Descriptors that are no connections, as of the latest exact count. */
  #others = 0;

  /** `limit` undefined: nothing is known, and there is never a shortage. */
  constructor(limit: number | undefined) {
    this.limit = limit ?? Number.POSITIVE_INFINITY;
    this.#usable = this.limit - Math.min(MOST_RESERVE, Math.max(LEAST_RESERVE, Math.floor(this.limit / 32)));
  }

  /** The bound that the system has set for this process. */
  static ofProcess(): DescriptorReserve {
    try {
      const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
      return new DescriptorReserve(soft === undefined ? undefined : Number(soft));
    } catch {
      return new DescriptorReserve(undefined);
    }
  }

  /** A listener whose idle connections may be closed when another listener needs a descriptor. */
  addListener(evictIdle: EvictIdle): void {
    this.#evictors.add(evictIdle);
  }

  removeListener(evictIdle: EvictIdle): void {
    this.#evictors.delete(evictIdle);
  }

  /** Counts a new connection; true: it took one descriptor too many. */
  add(socket: Socket): boolean {
    const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: number } | null };
    const number = handle?.fd ?? -1;
    const reserved = number >= this.#usable;
    this.#connections.set(socket, reserved);
    if (reserved && this.#inReserve === 0) this.#others = number + 1 - this.#connections.size;
    if (reserved) this.#inReserve++;
    return this.#inReserve > 0 && this.#others + this.#connections.size > this.#usable;
  }

  /** The descriptor of a connection is free again. Idempotent. */
  delete(socket: Socket): void {
    if (this.#connections.get(socket) === true) this.#inReserve--;
    this.#connections.delete(socket);
  }

  /** Closes the idle connection of some listener, preferably of this one; false: none of them has any. */
  evictIdle(own: EvictIdle): boolean {
    if (own()) return true;
    for (const evict of this.#evictors) if (evict !== own && evict()) return true;
    return false;
  }
}
