/** Bounds of the connections that wait for their client. */
export interface WaitingBounds {
  /** Largest number of waiting connections of all addresses together. */
  readonly most: number;
  /** Largest number of waiting connections of one address. */
  readonly mostPerAddress: number;
}

/**
 * Connections whose client has to send the next bytes, in the order in which they began to wait. A connection above a bound is not refused.
 * Instead, the connection that has waited longest is evicted, within the same address if that bound was hit. So idle connections never keep
 * a new client out.
 */
export class WaitingConnections<T extends object> {
  readonly #bounds: WaitingBounds;
  readonly #evict: (connection: T) => void;
  /** Each connection with its address, or `undefined` if the address has no bound. */
  readonly #waiting = new Map<T, string | undefined>();
  readonly #byAddress = new Map<string, Set<T>>();

  constructor(bounds: WaitingBounds, evict: (connection: T) => void) {
    this.#bounds = bounds;
    this.#evict = evict;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Adds a connection as the newest one, also if it waits already. */
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

  /** Notes that the client has sent the missing bytes, or that the connection has ended. */
  delete(connection: T): void {
    const address = this.#waiting.get(connection);
    if (!this.#waiting.delete(connection) || address === undefined) return;
    const same = this.#byAddress.get(address);
    same?.delete(connection);
    if (same?.size === 0) this.#byAddress.delete(address);
  }

  /** Evicts the connection that has waited longest. Returns `false` if none waits. */
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
