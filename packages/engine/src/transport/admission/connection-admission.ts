import type { Socket } from 'node:net';
import type { EventCounters } from '../../logging/event-counters.js';
import type { Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import { type AddressRanges, addressGroup } from '../../structures/ip-address.js';
import type { DescriptorReserve } from './descriptor-reserve.js';
import { WaitingConnections } from './waiting-connections.js';

export interface AdmissionOptions {
  /** Name of the listener in logs and counters. */
  readonly listener: string;
  /** Largest number of connections of the listener. */
  readonly most: number;
  /** Largest number of connections of one address that wait for their client. */
  readonly mostWaitingPerAddress: number;
  /** Addresses of proxies. Each carries many clients, so a proxy has no bound of its own. */
  readonly trustedProxies: AddressRanges;
  readonly descriptors: DescriptorReserve;
  readonly logger: Logger;
  readonly counters: EventCounters;
}

/**
 * Decides which TCP connections of a listener may stay. A connection waits while its client has to send the next bytes. The listener closes
 * the oldest waiting connection when a new one needs its place. It drops a new connection only when no connection waits. Both events are
 * counted, and logged at most once a minute.
 */
export class ConnectionAdmission {
  readonly #options: AdmissionOptions;
  /** Each open connection with the group of its address, or `undefined` behind a trusted proxy. */
  readonly #sockets = new Map<Socket, string | undefined>();
  readonly #waiting: WaitingConnections<Socket>;
  readonly #evictedLine = new RepeatedLine();
  readonly #droppedLine = new RepeatedLine();

  constructor(options: AdmissionOptions) {
    this.#options = options;
    const bounds = { most: options.most, mostPerAddress: options.mostWaitingPerAddress };
    this.#waiting = new WaitingConnections(bounds, (socket) => this.#evict(socket));
    options.descriptors.addListener(this.#evictOldest);
  }

  /** Open connections. */
  get sockets(): Iterable<Socket> {
    return this.#sockets.keys();
  }

  /** Takes a new connection, which waits from now on. Returns `false` if the connection was dropped. */
  admit(socket: Socket): boolean {
    const { descriptors, most, trustedProxies } = this.#options;
    const isShort = descriptors.add(socket);
    const isFull = this.#sockets.size >= most;
    if (isShort && !descriptors.evictIdle(this.#evictOldest)) return this.#drop(socket, 'descriptors');
    if (isFull && this.#sockets.size >= most && !this.#evictOldest()) return this.#drop(socket, 'connections');
    const address = socket.remoteAddress ?? '';
    this.#sockets.set(socket, trustedProxies.contains(address) ? undefined : addressGroup(address));
    socket.once('close', () => this.#forget(socket));
    this.wait(socket);
    return true;
  }

  /** Drops all connections of the closed listener. */
  close(): void {
    this.#options.descriptors.removeListener(this.#evictOldest);
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  /**
   * Notes that the client has to send the next bytes. Callers repeat this after some bytes, because the connection that has waited longest
   * is closed first.
   */
  wait(socket: Socket): void {
    if (this.#sockets.has(socket)) this.#waiting.add(socket, this.#sockets.get(socket));
  }

  /** Notes that the engine has to answer. The connection is then not closed in favour of another one. */
  engage(socket: Socket): void {
    this.#waiting.delete(socket);
  }

  readonly #evictOldest = (): boolean => this.#waiting.evictOldest();

  #forget(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#waiting.delete(socket);
    this.#options.descriptors.delete(socket);
  }

  #evict(socket: Socket): void {
    const { listener, logger, counters } = this.#options;
    socket.destroy();
    // The descriptor is free now, but the `close` event comes later.
    this.#forget(socket);
    counters.add('idle_connection_evicted');
    this.#evictedLine.add((times) => logger.warn('idle_connections_evicted', { listener, times, open: this.#sockets.size }));
  }

  #drop(socket: Socket, reason: 'connections' | 'descriptors'): false {
    const { listener, logger, counters, descriptors } = this.#options;
    socket.destroy();
    descriptors.delete(socket);
    counters.add('connection_dropped');
    const remedy = reason === 'descriptors' ? 'raise the limit of open files (ulimit -n)' : 'start another engine, or close connections';
    const limit = reason === 'descriptors' ? descriptors.limit : this.#options.most;
    this.#droppedLine.add((times) => logger.error('connections_dropped', { listener, reason, limit, times, remedy }));
    return false;
  }
}
