/** Bounds of the connections that wait for their client. */
export interface WaitingBounds {
  /** Connections that wait, of all addresses together. */
  readonly most: number;
  /** The same of one address. */
  readonly mostPerAddress: number;
}

/**
 * Connections whose client has to send the next bytes, in the order in which they began to wait. A connection beyond a bound is not
 * refused. Instead the one that has waited longest is evicted: of the same address, if that bound was hit. So idle connections
 * never keep a new client out.
 */
export class WaitingConnections<T extends object> {
  readonly #bounds: WaitingBounds;
  readonly #evict: (connection: T) => void;
  /** Each connection with its address; `undefined`: an address without a bound of its own. */
  readonly #waiting = new Map<T, string | undefined>();
  readonly #byAddress = new Map<string, Set<T>>();

  constructor(bounds: WaitingBounds, evict: (connection: T) => void) {
    this.#bounds = bounds;
    this.#evict = evict;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Adds a connection as the newest, also if it waits already. */
  add(connection: T, address: string | undefined): void {
    this.delete(connection);
    this.#waiting.set(connection, address);
    if (address !== undefined) {
      const same = this.#byAddress.get(address) ?? new Set<T>();
      same.add(connection);
      this.#byAddress.set(address, same);
      if (same.size > this.#bounds.mostPerAddress) this.#evictFirst(same);
    }
    if (this.#waiting.size > this.#bounds.most) this.evictOldest();
  }

  /** The client has sent what was missing, or the connection has ended. */
  delete(connection: T): void {
    const address = this.#waiting.get(connection);
    if (!this.#waiting.delete(connection) || address === undefined) return;
    const same = this.#byAddress.get(address);
    same?.delete(connection);
    if (same?.size === 0) this.#byAddress.delete(address);
  }

  /** Evicts the connection that has waited longest; returns false if none waits. */
  evictOldest(): boolean {
    return this.#evictFirst(this.#waiting.keys());
  }

  #evictFirst(connections: Iterable<T>): boolean {
    for (const oldest of connections) {
      this.delete(oldest);
      this.#evict(oldest);
      return true;
    }
    return false;
  }
}
