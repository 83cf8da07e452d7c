import { comparableAddress } from '../../../structures/ip-address.js';
import type { SilentPeer } from '../../../transport/plain/silent-peers.js';

/** The view of an event stream that the search needs. */
export interface WatchedClient {
  /** The peer of its socket, which may be a proxy. */
  readonly peerAddress: string;
  readonly ports: { readonly local: number; readonly remote: number } | undefined;
  /** Bytes that the kernel has taken from the stream since it began. */
  readonly taken: number;
}

interface Suspicion {
  /** Bytes that the peer had confirmed at the last look. */
  readonly confirmed: number;
  /** Number of looks in a row at which the peer was silent, without a newly confirmed byte since the first of them. */
  readonly looks: number;
}

/**
 * Finds the clients that vanished while some bytes for them were on their way, for instance with their network. Nothing answers an event,
 * and the kernel gives such a client up after a quarter of an hour only. Its table of connections says sooner that a peer is silent.
 *
 * A client is lost when it was silent at `most` looks after the first one. The caller looks once in each `ping_interval_ms`.
 */
export class LostClients<T extends WatchedClient> {
  readonly #most: number;
  readonly #read: () => Promise<readonly SilentPeer[]>;
  #suspicions = new Map<T, Suspicion>();
  #isLooking = false;

  constructor(most: number, read: () => Promise<readonly SilentPeer[]>) {
    this.#most = most;
    this.#read = read;
  }

  /** Looks once. Resolves with the clients that are lost. While another look runs, it resolves with none. */
  async find(open: Iterable<T>): Promise<readonly T[]> {
    if (this.#isLooking) return [];
    this.#isLooking = true;
    try {
      return this.#judge(open, await this.#read());
    } finally {
      this.#isLooking = false;
    }
  }

  #judge(open: Iterable<T>, silent: readonly SilentPeer[]): readonly T[] {
    const before = this.#suspicions;
    this.#suspicions = new Map();
    // Mostly nobody is silent, and then the streams cost nothing.
    if (silent.length === 0) return [];
    const byPorts = new Map<string, SilentPeer[]>();
    for (const peer of silent) {
      const key = `${peer.localPort} ${peer.remotePort}`;
      byPorts.set(key, [...(byPorts.get(key) ?? []), peer]);
    }
    const lost: T[] = [];
    for (const client of open) {
      const { ports } = client;
      const same = ports === undefined ? undefined : byPorts.get(`${ports.local} ${ports.remote}`);
      const peer = same?.find(({ remoteAddress }) => remoteAddress === comparableAddress(client.peerAddress));
      if (peer === undefined) continue;
      const confirmed = client.taken - peer.unconfirmed;
      const known = before.get(client);
      const looks = known === undefined || confirmed > known.confirmed ? 0 : known.looks + 1;
      if (looks >= this.#most) lost.push(client);
      else this.#suspicions.set(client, { confirmed: Math.max(confirmed, known?.confirmed ?? confirmed), looks });
    }
    return lost;
  }
}
