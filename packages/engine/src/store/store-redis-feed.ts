import type { Logger } from '../logging/logger.js';
import type { GroupRef, StoreEvents } from './store.js';
import type { RedisGroups } from './store-redis-groups.js';
import { commitOf, placeOf, readTold, type Told } from './store-redis-records.js';

/** What is missing may still be on its way on the other connection. */
const PATIENCE_MS = 20;
/** Steps that wait for what is missing; beyond it is fetched at once. */
const MOST_HELD = 1_024;
/** Histories that have ended: what comes late of them is dropped. */
const MOST_PAST = 16;

export interface FeedOptions {
  readonly groups: RedisGroups;
  readonly events: StoreEvents;
  readonly logger: Logger;
}

interface Waiting {
  readonly epoch: string;
  readonly offset: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Brings the commits of a watched group into one order, whoever wrote them and on whichever connection they come. Offsets prove that none is
 * missing: what does not come in time is fetched from the log, and if it is not there either, the loss is told.
 */
export class GroupFeed {
  readonly ref: GroupRef;
  readonly #groups: RedisGroups;
  readonly #events: StoreEvents;
  readonly #logger: Logger;
  /** Everything up to here was reported. */
  #epoch: string | undefined;
  #at = 0;
  #eager = false;
  readonly #held = new Map<number, Told>();
  readonly #past: string[] = [];
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #filling = false;
  #closed = false;

  constructor(ref: GroupRef, options: FeedOptions) {
    const { groups, events, logger } = options;
    this.ref = ref;
    this.#groups = groups;
    this.#events = events;
    this.#logger = logger;
  }

  /** Everything after the position that the group has now is reported. */
  async open(): Promise<void> {
    if (this.#epoch !== undefined) return this.check();
    const { position } = await this.#groups.read(this.ref, []);
    if (this.#epoch !== undefined) return this.check();
    this.#epoch = position.epoch;
    this.#at = position.offset;
    this.#drain();
  }

  /** Everything from the next step on is reported, whichever that is. */
  beginWithNext(): void {
    this.#eager = true;
  }

  /** A message as it was published. */
  onMessage(bytes: Buffer): void {
    try {
      // What was told on another way already is not read again.
      const { epoch, to } = placeOf(bytes);
      if (epoch !== this.#epoch || to > this.#at) this.#take(readTold(bytes));
    } catch (error) {
      this.#logger.warn('redis_message_unreadable', { ...this.ref, error });
      this.#fillSoon(0);
    }
  }

  /**
   * What this process wrote. Resolves when it and everything before it was reported; rejects when the server is lost before, although it is
   * written.
   */
  wrote(told: Told): Promise<void> {
    if (this.#epoch === undefined && !this.#eager) {
      // Nothing was promised yet about its place among others.
      this.#report(told, told.from);
      return Promise.resolve();
    }
    this.#take(told);
    if (this.#closed || this.#epoch !== told.epoch || this.#at >= told.to) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ epoch: told.epoch, offset: told.to, resolve, reject }));
  }

  /** Looks whether something was missed. */
  async check(): Promise<void> {
    if (this.#epoch === undefined || this.#closed) return;
    const { position } = await this.#groups.read(this.ref, []);
    if (position.epoch !== this.#epoch || position.offset !== this.#at) await this.#fill();
  }

  /** The server is lost: what is missing can't be fetched now. */
  interrupt(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#held.clear();
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #take(told: Told): void {
    if (this.#closed || told.from === told.to || this.#past.includes(told.epoch)) return;
    if (this.#epoch === undefined && this.#eager) {
      this.#epoch = told.epoch;
      this.#at = told.from;
    }
    if (this.#epoch === undefined) {
      this.#hold(told);
      return;
    }
    if (told.epoch !== this.#epoch) this.#turn(told.epoch, told.from);
    if (told.to <= this.#at) return;
    if (told.from > this.#at) {
      this.#hold(told);
      this.#fillSoon(this.#held.size > MOST_HELD ? 0 : PATIENCE_MS);
      return;
    }
    this.#report(told, this.#at);
    this.#at = told.to;
    this.#drain();
  }

  /** At most so many: what is dropped here is fetched. */
  #hold(told: Told): void {
    if (this.#held.size <= MOST_HELD) this.#held.set(told.from, told);
  }

  #drain(): void {
    for (const told of [...this.#held.values()].sort((a, b) => a.from - b.from)) {
      if (told.epoch === this.#epoch && told.from > this.#at) break;
      this.#held.delete(told.from);
      if (told.epoch !== this.#epoch || told.to <= this.#at) continue;
      this.#report(told, this.#at);
      this.#at = told.to;
    }
    if (this.#held.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    this.#wake();
  }

  #report(told: Told, after: number): void {
    for (const record of told.records) {
      if (record.effect !== 'none' && record.offset > after) this.#events.onCommit(commitOf(this.ref, told.epoch, record));
    }
  }

  /** Another history. */
  #turn(epoch: string, offset: number): void {
    if (this.#epoch !== undefined) this.#past.push(this.#epoch);
    if (this.#past.length > MOST_PAST) this.#past.shift();
    this.#epoch = epoch;
    this.#at = offset;
    this.#events.onBreak(this.ref, 'epoch', { epoch, offset });
    this.#wake();
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const still: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (waiting.epoch === this.#epoch && waiting.offset > this.#at) still.push(waiting);
      else waiting.resolve();
    }
    this.#waiting = still;
  }

  #fillSoon(delayMs: number): void {
    if (this.#timer !== undefined && delayMs > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // It is looked at again when the server is back.
      this.#fill().catch((error: unknown) => this.#logger.warn('redis_log_unread', { ...this.ref, error }));
    }, delayMs);
  }

  /** Fetches what is missing. */
  async #fill(): Promise<void> {
    if (this.#filling || this.#closed) return;
    this.#filling = true;
    // What comes while it is asked is newer than its answer.
    const before = this.#at;
    try {
      const { position, rest } = await this.#groups.log(this.ref);
      if (this.#closed) return;
      if (position.epoch !== this.#epoch) {
        if (this.#past.includes(position.epoch)) return;
        this.#turn(position.epoch, position.offset);
      } else if (position.offset < before) {
        // It has less than it had, in the same history.
        this.#logger.error('redis_lost_writes', { ...this.ref, epoch: position.epoch, through: before, from: position.offset + 1 });
        await this.#groups.renew(this.ref, position.epoch);
        const { position: now } = await this.#groups.read(this.ref, []);
        if (!this.#closed && now.epoch !== this.#epoch) this.#turn(now.epoch, now.offset);
        return;
      }
      for (const bytes of rest) if (bytes !== null) this.#refill(readTold(bytes));
      if (this.#at < position.offset) {
        this.#at = position.offset;
        this.#events.onBreak(this.ref, 'gap', position);
      }
      this.#drain();
      if (this.#held.size > 0) this.#fillSoon(PATIENCE_MS);
    } finally {
      this.#filling = false;
    }
  }

  #refill(told: Told): void {
    if (told.epoch !== this.#epoch || told.to <= this.#at || told.from > this.#at) return;
    this.#report(told, this.#at);
    this.#at = told.to;
  }
}
