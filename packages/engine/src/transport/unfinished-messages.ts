import type { EventCounters } from '../logging/event-counters.js';
import type { Logger } from '../logging/logger.js';
import type { Connection } from './connection.js';

/** A connection that may be in the middle of a message. */
type Sender = Pick<Connection, 'watchUnfinished' | 'close' | 'destroy' | 'remoteAddress'>;

export interface UnfinishedMessagesOptions {
  /** Bytes of all unfinished messages together, above which the engine drops a connection. */
  readonly most: number;
  readonly logger: Logger;
  readonly counters?: EventCounters | undefined;
}

/**
 * Bounds the unfinished messages of many connections together. A message is unfinished while the engine has read a part of it.
 *
 * At the bound the engine drops the connection whose message began first. Messages of honest peers take milliseconds, so the oldest message
 * is almost always one that its sender does not want to finish. The others go on, and nobody waits for a peer that may never send the rest.
 */
export class UnfinishedMessages {
  readonly #options: UnfinishedMessagesOptions;
  /** Unfinished bytes by connection. The connection that began its message first is first. */
  readonly #bytes = new Map<Sender, number>();
  /** Connections that end soon. Their parsers may still report bytes. */
  readonly #dropped = new WeakSet<Sender>();
  #total = 0;

  constructor(options: UnfinishedMessagesOptions) {
    this.#options = options;
  }

  /** Unfinished bytes of all connections. */
  get total(): number {
    return this.#total;
  }

  /** Counts the unfinished bytes of a connection until it ends. */
  watch(connection: Sender): void {
    connection.watchUnfinished((bytes) => this.#report(connection, bytes));
  }

  #report(connection: Sender, bytes: number): void {
    const counted = this.#bytes.get(connection) ?? 0;
    if (bytes === counted || this.#dropped.has(connection)) return;
    this.#total += bytes - counted;
    // A message that is whole, or is followed by the next one, gives up its place.
    if (bytes < counted) this.#bytes.delete(connection);
    if (bytes > 0) this.#bytes.set(connection, bytes);
    while (this.#total > this.#options.most) this.#dropOldest();
  }

  #dropOldest(): void {
    const [oldest] = this.#bytes;
    if (oldest === undefined) return;
    const [connection, bytes] = oldest;
    this.#bytes.delete(connection);
    this.#dropped.add(connection);
    this.#total -= bytes;
    const { logger, counters, most } = this.#options;
    counters?.add('unfinished_messages_full');
    logger.warn('unfinished_messages_full', { code: 'OVERLOADED', address: connection.remoteAddress, bytes, limit: most });
    // The Close frame says why. The parser would keep the message until the peer answers it, so the connection does not wait for that.
    connection.close('tryLater');
    setImmediate(() => connection.destroy());
  }
}
