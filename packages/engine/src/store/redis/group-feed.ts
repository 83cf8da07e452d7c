import type { Logger } from '../../logging/logger.js';
import { notifyAvailability } from '../shared/notify-availability.js';
import type { GroupRef, StoreEvents } from '../store.js';
import type { RedisGroups } from './group-client.js';
import { commitOf, placeOf, readTold, type Told } from './records.js';

/** What is missing may still be on its way on the other connection. */
const PATIENCE_MS = 20;
/** A feed that begins with what this process wrote waits so long for the message of it. */
const BEGIN_MS = 100;
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
  #beginning: NodeJS.Timeout | undefined;
  #filling: Promise<void> | undefined;
  /** The server was lost, and not everything that was missed is reported. */
  #away = false;
  /** How often the server was lost. */
  #losses = 0;
  #closed = false;
  /** Somebody watches, who is told whether the group can be reached. */
  watched = false;

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
    if (this.#epoch === undefined) {
      // What others wrote before may still be on its way: messages come in the order of the group.
      this.#hold(told);
      this.#beginning ??= setTimeout(() => this.#begin([...this.#held.values()][0]), BEGIN_MS);
    } else this.#take(told);
    if (this.#closed || (this.#epoch !== undefined && (this.#epoch !== told.epoch || this.#at >= told.to))) return Promise.resolve();
    if (this.#epoch !== undefined) this.#fillSoon(PATIENCE_MS);
    return new Promise((resolve, reject) => this.#waiting.push({ epoch: told.epoch, offset: told.to, resolve, reject }));
  }

  /** Looks whether something was missed. */
  async check(): Promise<void> {
    if (this.#epoch === undefined || this.#closed) return;
    const before = this.#at;
    const { position } = await this.#groups.read(this.ref, []);
    if (position.epoch !== this.#epoch || position.offset < before) await this.#fill();
    else if (position.offset > this.#at) this.#fillSoon(PATIENCE_MS, position.offset);
  }

  /** The server was lost, and `resume` has not ended well since. */
  get away(): boolean {
    return this.#away;
  }

  /** The server is lost: what is missing can't be fetched now. */
  interrupt(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#losses++;
    // Of one that is being opened nothing was promised.
    if (this.#epoch === undefined || this.#away) return;
    this.#away = true;
    this.#tellReach();
  }

  /** The server is back: reports what was missed, and tells that the group can be reached. Rejects when that can't be read; nothing is told then. */
  async resume(): Promise<void> {
    const losses = this.#losses;
    const lost = () => this.#closed || !this.#away || this.#losses !== losses;
    const before = this.#at;
    const { position } = await this.#groups.read(this.ref, []);
    if (lost()) return;
    if (position.epoch !== this.#epoch || position.offset < before || position.offset > this.#at) {
      // One that is under way may have begun before the server was lost.
      await this.#filling?.catch(() => {});
      if (lost()) return;
      await this.#fill();
      if (lost()) return;
    }
    this.#away = false;
    this.#tellReach();
  }

  #tellReach(): void {
    if (this.watched) notifyAvailability(this.#events, this.ref, !this.#away);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#beginning);
    this.#held.clear();
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #take(told: Told): void {
    if (this.#closed || told.from === told.to || this.#past.includes(told.epoch)) return;
    if (this.#epoch === undefined && this.#eager) this.#begin(told);
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

  #begin(first: Told | undefined): void {
    clearTimeout(this.#beginning);
    this.#beginning = undefined;
    if (first === undefined || this.#epoch !== undefined || this.#closed) return;
    this.#epoch = first.epoch;
    this.#at = first.from;
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

  /** `through`: what is known to be there, beside what waits. */
  #fillSoon(delayMs: number, through = 0): void {
    if (this.#timer !== undefined && delayMs > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#held.size === 0 && this.#waiting.length === 0 && delayMs > 0 && this.#at >= through) return;
      // It is looked at again when the server is back.
      this.#fill().catch((error: unknown) => this.#logger.warn('redis_log_unread', { ...this.ref, error }));
    }, delayMs);
  }

  /** Fetches what is missing; while that is under way it is not begun again. */
  #fill(): Promise<void> {
    this.#filling ??= this.#fetch().finally(() => {
      this.#filling = undefined;
    });
    return this.#filling;
  }

  async #fetch(): Promise<void> {
    if (this.#closed) return;
    // What comes while it is asked is newer than its answer.
    const before = this.#at;
    const asked = this.#epoch;
    const { position, rest, unwritten } = await this.#groups.log(this.ref);
    if (this.#closed || this.#epoch !== asked) return;
    if (position.epoch !== this.#epoch) {
      // The server knows which history goes on.
      if (this.#past.includes(position.epoch)) this.#past.splice(this.#past.indexOf(position.epoch), 1);
      this.#turn(position.epoch, position.offset);
    } else if (position.offset < before) {
      // It has less than it had, in the same history.
      this.#logger.error('redis_lost_writes', { ...this.ref, epoch: position.epoch, through: before, from: position.offset + 1 });
      await this.#groups.renew(this.ref, position.epoch);
      const { position: now } = await this.#groups.read(this.ref, []);
      if (!this.#closed && now.epoch !== this.#epoch) this.#turn(now.epoch, now.offset);
      return;
    }
    this.#refill([...rest.flatMap((bytes) => (bytes === null ? [] : [readTold(bytes)])), ...this.#held.values()]);
    // A group without history stands where one that was forgotten stood: nothing happened.
    if (unwritten) this.#at = Math.max(this.#at, position.offset);
    else if (this.#at < position.offset) this.#skipTo(position.offset);
    this.#drain();
    if (this.#held.size > 0) this.#fillSoon(PATIENCE_MS);
  }

  /** Reports what is there; a hole among it is told, and what is behind the hole reported all the same. */
  #refill(all: readonly Told[]): void {
    for (const told of [...all].sort((a, b) => a.from - b.from)) {
      if (told.epoch !== this.#epoch || told.to <= this.#at) continue;
      if (told.from > this.#at) this.#skipTo(told.from);
      this.#report(told, this.#at);
      this.#at = told.to;
    }
  }

  #skipTo(offset: number): void {
    this.#at = offset;
    if (this.#epoch !== undefined) this.#events.onBreak(this.ref, 'gap', { epoch: this.#epoch, offset });
  }
}
