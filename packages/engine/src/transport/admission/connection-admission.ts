import type { Socket } from 'node:net';
import type { EventCounters } from '../../logging/event-counters.js';
import type { Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import { type AddressRanges, addressGroup } from '../../structures/ip-address.js';
import { type DescriptorLimit, takesReserve } from './descriptor-limit.js';
import { WaitingConnections } from './waiting-connections.js';

export interface AdmissionOptions {
  /** Name of the listener, for the log and the counters. */
  readonly listener: string;
  /** Connections of the listener, whatever they do. */
  readonly most: number;
  /** Connections of one address that wait for their client. */
  readonly mostWaitingPerAddress: number;
  /** Proxies, behind each of which are many clients: they have no bound of their own. */
  readonly trustedProxies: AddressRanges;
  readonly descriptors: DescriptorLimit | undefined;
  readonly logger: Logger;
  readonly counters: EventCounters;
}

type Reason = 'connections' | 'descriptors';

/**
 * Decides which TCP connections of a listener may stay. A connection waits while its client has to send the next bytes; a waiting
 * connection is closed when a new one needs its place. A new connection is dropped only when none waits. Both are counted, and logged
 * at most once a minute.
 */
export class ConnectionAdmission {
  readonly #options: AdmissionOptions;
  /** Each open connection with the key of its address; `undefined`: it comes from a trusted proxy. */
  readonly #sockets = new Map<Socket, string | undefined>();
  readonly #waiting: WaitingConnections<Socket>;
  readonly #evictedLine = new RepeatedLine();
  readonly #droppedLine = new RepeatedLine();

  constructor(options: AdmissionOptions) {
    this.#options = options;
    const bounds = { most: options.most, mostPerAddress: options.mostWaitingPerAddress };
    this.#waiting = new WaitingConnections(bounds, (socket) => this.#evict(socket));
  }

  /** Connections that are open now. */
  get sockets(): Iterable<Socket> {
    return this.#sockets.keys();
  }

  /** Takes a new connection, which waits from now on; false: it was dropped. */
  admit(socket: Socket): boolean {
    const reason = this.#shortage(socket);
    if (reason !== undefined && !this.#waiting.evictOldest()) {
      this.#drop(socket, reason);
      return false;
    }
    const address = socket.remoteAddress ?? '';
    this.#sockets.set(socket, this.#options.trustedProxies.contains(address) ? undefined : addressGroup(address));
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#waiting.delete(socket);
    });
    this.wait(socket);
    return true;
  }

  /** The client has to send the next bytes. Call it again when some came: the connection that has waited longest goes first. */
  wait(socket: Socket): void {
    if (this.#sockets.has(socket)) this.#waiting.add(socket, this.#sockets.get(socket));
  }

  /** The engine has to answer: the connection is not closed for another one. */
  engage(socket: Socket): void {
    this.#waiting.delete(socket);
  }

  #shortage(socket: Socket): Reason | undefined {
    if (takesReserve(socket, this.#options.descriptors)) return 'descriptors';
    return this.#sockets.size >= this.#options.most ? 'connections' : undefined;
  }

  #evict(socket: Socket): void {
    const { listener, logger, counters } = this.#options;
    socket.destroy();
    counters.add('idle_connection_evicted');
    this.#evictedLine.add((times) => logger.warn('idle_connections_evicted', { listener, times, open: this.#sockets.size }));
  }

  #drop(socket: Socket, reason: Reason): void {
    const { listener, logger, counters, descriptors } = this.#options;
    socket.destroy();
    counters.add('connection_dropped');
    const remedy = reason === 'descriptors' ? 'raise the limit of open files (ulimit -n)' : 'start another engine, or close connections';
    const limit = reason === 'descriptors' ? descriptors?.limit : this.#options.most;
    this.#droppedLine.add((times) => logger.error('connections_dropped', { listener, reason, limit, times, remedy }));
  }
}
