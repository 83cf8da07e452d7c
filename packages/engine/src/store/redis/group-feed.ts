import type { Logger } from '../../logging/logger.js';
import { notifyAvailability } from '../shared/notify-availability.js';
import type { GroupRef, StoreEvents } from '../store.js';
import { type FeedEvent, type FeedState, nextState, placeOf } from './feed-state.js';
import type { GroupClient } from './group-client.js';
import { commitOf, type GroupStep, readSpan, readStep } from './records.js';

/** A missing step may still arrive on the other connection within this time, in milliseconds. */
const PATIENCE_MS = 20;
/** A feed that begins with a local step waits this long for the message of that step, in milliseconds. */
const FIRST_STEP_MS = 100;
/** Steps that wait for a missing one. Beyond this number the feed reads the log at once. */
const MOST_HELD = 1_024;
/** Epochs that ended and are remembered: the feed drops late steps of them. */
const MOST_ENDED_EPOCHS = 16;

export interface FeedOptions {
  readonly groups: GroupClient;
  readonly events: StoreEvents;
  readonly logger: Logger;
}

/** A local step that is written and not reported yet. */
interface UnreportedStep {
  readonly epoch: string;
  readonly offset: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Reports the steps of one group in offset order, each once, for writes of all engines.
 *
 * Steps arrive on two ways: a local write returns its step on the connection for commands (`onLocalStep`), and Redis publishes every step
 * on the connection for messages (`onMessage`). Offsets are dense, so a gap between two offsets proves that a step is missing. The feed
 * holds the later steps for PATIENCE_MS. If the missing step does not arrive, the feed reads the log of the group. If the log no longer has
 * it, the feed reports a break (`onBreak`) and goes on behind the gap.
 *
 * Example: the feed is at offset 4 and gets step 6. It holds 6. Then step 5 arrives, and the feed reports 5 and 6.
 *
 * feed-state.ts has the states and their transitions.
 */
export class GroupFeed {
  readonly ref: GroupRef;
  /** Whether a caller of `watch` gets notified about the availability of the group. */
  watched = false;
  readonly #groups: GroupClient;
  readonly #events: StoreEvents;
  readonly #logger: Logger;
  #state: FeedState = { kind: 'opening' };
  /** Steps that cannot be reported yet, by the offset before them. */
  readonly #held = new Map<number, GroupStep>();
  readonly #endedEpochs: string[] = [];
  #unreported: UnreportedStep[] = [];
  /** Reads the log when it fires. */
  #refillTimer: NodeJS.Timeout | undefined;
  /** Begins with the first held local step when it fires. Only in the state `awaiting-step`. */
  #firstStepTimer: NodeJS.Timeout | undefined;
  #refilling: Promise<void> | undefined;
  /** Counts the losses of the server, so that `resume` notices one that happens while it reads. */
  #losses = 0;

  constructor(ref: GroupRef, { groups, events, logger }: FeedOptions) {
    this.ref = ref;
    this.#groups = groups;
    this.#events = events;
    this.#logger = logger;
  }

  get state(): FeedState {
    return this.#state;
  }

  /** Whether the server was lost and `resume` has not succeeded since. */
  get isUnavailable(): boolean {
    return this.#state.kind === 'unavailable';
  }

  /** Resolves when every step after the present position of the group will be reported. Rejects when that position cannot be read. */
  async open(): Promise<void> {
    if (placeOf(this.#state) !== undefined) return this.check();
    const { position } = await this.#groups.read(this.ref, []);
    if (placeOf(this.#state) !== undefined) return this.check();
    this.#begin(position.epoch, position.offset);
  }

  /** Begins the report with the next step, without reading the position of the group. */
  beginWithNext(): void {
    this.#enter({ kind: 'await-step' });
  }

  /** Takes a message as Redis published it. A message that cannot be read makes the feed read the log. */
  onMessage(bytes: Buffer): void {
    try {
      // Most steps of this process were reported already: skip them without decoding their records.
      const { epoch, to } = readSpan(bytes);
      const place = placeOf(this.#state);
      if (place === undefined || epoch !== place.epoch || to > place.at) this.#take(readStep(bytes));
    } catch (error) {
      this.#logger.warn('redis_message_unreadable', { ...this.ref, error });
      this.#refillSoon(0);
    }
  }

  /**
   * Takes a step of a write of this process. Resolves when it and everything before it was reported. Rejects when the server is lost before
   * that, although the step is written.
   */
  onLocalStep(step: GroupStep): Promise<void> {
    if (this.#state.kind === 'opening') {
      // The feed promises no order with the steps of other engines yet.
      this.#report(step, step.from);
      return Promise.resolve();
    }
    if (this.#state.kind === 'awaiting-step') {
      // An earlier step of another engine may still be on its way. Messages arrive in the order of the group, so wait for the first one.
      this.#hold(step);
      this.#firstStepTimer ??= setTimeout(() => this.#beginWithHeld(), FIRST_STEP_MS);
    } else this.#take(step);
    const place = placeOf(this.#state);
    if (this.#state.kind === 'closed') return Promise.resolve();
    if (place !== undefined && (place.epoch !== step.epoch || place.at >= step.to)) return Promise.resolve();
    if (place !== undefined) this.#refillSoon(PATIENCE_MS);
    return new Promise((resolve, reject) => this.#unreported.push({ epoch: step.epoch, offset: step.to, resolve, reject }));
  }

  /** Compares the report with the server, and reads the log if a step is missing. Rejects when the server cannot be read. */
  async check(): Promise<void> {
    const place = placeOf(this.#state);
    if (place === undefined) return;
    const before = place.at;
    const { position } = await this.#groups.read(this.ref, []);
    if (placeOf(this.#state) === undefined) return;
    if (position.epoch !== place.epoch || position.offset < before) await this.#refill();
    else if (position.offset > place.at) this.#refillSoon(PATIENCE_MS, position.offset);
  }

  /** Notes that the server was lost: the feed cannot read missing steps now. Rejects every local step that waits for its report. */
  interrupt(error: Error): void {
    for (const { reject } of this.#unreported.splice(0)) reject(error);
    this.#losses++;
    const wasUnavailable = this.isUnavailable;
    this.#enter({ kind: 'lose' });
    if (this.isUnavailable && !wasUnavailable) this.#notifyAvailability();
  }

  /**
   * Reports what was missed while the server was unavailable, and then that the group is available. Rejects when that cannot be read. Does
   * nothing when the server is lost again meanwhile.
   */
  async resume(): Promise<void> {
    const losses = this.#losses;
    const isObsolete = () => !this.isUnavailable || this.#losses !== losses;
    const place = placeOf(this.#state);
    const before = place?.at ?? 0;
    const { position } = await this.#groups.read(this.ref, []);
    if (isObsolete()) return;
    if (position.epoch !== place?.epoch || position.offset < before || position.offset > place.at) {
      // A read of the log that is under way may have begun before the loss: wait for it, and read again.
      await this.#refilling?.catch(() => {});
      if (isObsolete()) return;
      await this.#refill();
      if (isObsolete()) return;
    }
    this.#enter({ kind: 'resume' });
    this.#notifyAvailability();
  }

  close(): void {
    this.#enter({ kind: 'close' });
    clearTimeout(this.#refillTimer);
    this.#held.clear();
    for (const { resolve } of this.#unreported.splice(0)) resolve();
  }

  #enter(event: FeedEvent): void {
    this.#state = nextState(this.#state, event);
    if (this.#state.kind === 'awaiting-step') return;
    clearTimeout(this.#firstStepTimer);
    this.#firstStepTimer = undefined;
  }

  #notifyAvailability(): void {
    if (this.watched) notifyAvailability(this.#events, this.ref, !this.isUnavailable);
  }

  #begin(epoch: string, at: number): void {
    this.#enter({ kind: 'begin', place: { epoch, at } });
    this.#drain();
  }

  #beginWithHeld(): void {
    const [first] = this.#held.values();
    if (first !== undefined) this.#begin(first.epoch, first.from);
  }

  #take(step: GroupStep): void {
    if (this.#state.kind === 'closed' || step.from === step.to || this.#endedEpochs.includes(step.epoch)) return;
    if (this.#state.kind === 'awaiting-step') this.#begin(step.epoch, step.from);
    const place = placeOf(this.#state);
    if (place === undefined) {
      this.#hold(step);
      return;
    }
    if (step.epoch !== place.epoch) this.#beginEpoch(step.epoch, step.from);
    if (step.to <= place.at) return;
    if (step.from > place.at) {
      this.#hold(step);
      this.#refillSoon(this.#held.size > MOST_HELD ? 0 : PATIENCE_MS);
      return;
    }
    this.#report(step, place.at);
    place.at = step.to;
    this.#drain();
  }

  /** Holds at most MOST_HELD steps. Further ones are dropped here and read from the log later. */
  #hold(step: GroupStep): void {
    if (this.#held.size <= MOST_HELD) this.#held.set(step.from, step);
  }

  /** Reports the held steps that follow on the report, and drops the outdated ones. */
  #drain(): void {
    const place = placeOf(this.#state);
    if (place === undefined) return;
    for (const step of [...this.#held.values()].sort((a, b) => a.from - b.from)) {
      if (step.epoch === place.epoch && step.from > place.at) break;
      this.#held.delete(step.from);
      if (step.epoch !== place.epoch || step.to <= place.at) continue;
      this.#report(step, place.at);
      place.at = step.to;
    }
    if (this.#held.size === 0) {
      clearTimeout(this.#refillTimer);
      this.#refillTimer = undefined;
    }
    this.#resolveReported();
  }

  #report(step: GroupStep, after: number): void {
    for (const record of step.records) {
      if (record.effect !== 'none' && record.offset > after) this.#events.onCommit(commitOf(this.ref, step.epoch, record));
    }
  }

  /** Goes on in another epoch, and reports the break. */
  #beginEpoch(epoch: string, offset: number): void {
    const place = placeOf(this.#state);
    if (place === undefined) return;
    this.#endedEpochs.push(place.epoch);
    if (this.#endedEpochs.length > MOST_ENDED_EPOCHS) this.#endedEpochs.shift();
    place.epoch = epoch;
    place.at = offset;
    this.#events.onBreak(this.ref, 'epoch', { epoch, offset });
    this.#resolveReported();
  }

  /** Resolves the local steps that are reported, or that belong to an epoch that ended. */
  #resolveReported(): void {
    if (this.#unreported.length === 0) return;
    const place = placeOf(this.#state);
    const left: UnreportedStep[] = [];
    for (const step of this.#unreported) {
      if (place !== undefined && step.epoch === place.epoch && step.offset > place.at) left.push(step);
      else step.resolve();
    }
    this.#unreported = left;
  }

  /** Reads the log after a delay, unless nothing is missing by then. `through`: an offset that the server has, even if no step waits. */
  #refillSoon(delayMs: number, through = 0): void {
    if (this.#refillTimer !== undefined && delayMs > 0) return;
    clearTimeout(this.#refillTimer);
    this.#refillTimer = setTimeout(() => {
      this.#refillTimer = undefined;
      const at = placeOf(this.#state)?.at ?? 0;
      if (this.#held.size === 0 && this.#unreported.length === 0 && delayMs > 0 && at >= through) return;
      // `resume` reads again when the server is back.
      this.#refill().catch((error: unknown) => this.#logger.warn('redis_log_unread', { ...this.ref, error }));
    }, delayMs);
  }

  /** Reads the log and reports what is missing. One read at a time: callers share it. */
  #refill(): Promise<void> {
    this.#refilling ??= this.#readLog().finally(() => {
      this.#refilling = undefined;
    });
    return this.#refilling;
  }

  async #readLog(): Promise<void> {
    const begun = placeOf(this.#state);
    if (begun === undefined) return;
    // The report may advance while the server answers: compare the answer with the place before.
    const { epoch, at: before } = begun;
    const { position, rest, unwritten } = await this.#groups.log(this.ref);
    const place = placeOf(this.#state);
    if (place === undefined || place.epoch !== epoch) return;
    if (position.epoch !== place.epoch) {
      // The server decides which epoch goes on, even one that ended before.
      const ended = this.#endedEpochs.indexOf(position.epoch);
      if (ended >= 0) this.#endedEpochs.splice(ended, 1);
      this.#beginEpoch(position.epoch, position.offset);
    } else if (position.offset < before) {
      await this.#renewEpoch(position.epoch, before, position.offset);
      return;
    }
    this.#reportAll([...rest.flatMap((bytes) => (bytes === null ? [] : [readStep(bytes)])), ...this.#held.values()]);
    // A group without history begins where a deleted group ended: no step is missing.
    if (unwritten) place.at = Math.max(place.at, position.offset);
    else if (place.at < position.offset) this.#skipTo(position.offset);
    this.#drain();
    if (this.#held.size > 0) this.#refillSoon(PATIENCE_MS);
  }

  /** Begins a new epoch, because the server lost acknowledged steps of this one. */
  async #renewEpoch(epoch: string, through: number, offset: number): Promise<void> {
    this.#logger.error('redis_lost_writes', { ...this.ref, epoch, through, from: offset + 1 });
    await this.#groups.renew(this.ref, epoch);
    const { position } = await this.#groups.read(this.ref, []);
    const place = placeOf(this.#state);
    if (place !== undefined && place.epoch !== position.epoch) this.#beginEpoch(position.epoch, position.offset);
  }

  /** Reports all these steps in offset order. A gap between them is reported as a break, and the steps behind it all the same. */
  #reportAll(steps: readonly GroupStep[]): void {
    const place = placeOf(this.#state);
    if (place === undefined) return;
    for (const step of [...steps].sort((a, b) => a.from - b.from)) {
      if (step.epoch !== place.epoch || step.to <= place.at) continue;
      if (step.from > place.at) this.#skipTo(step.from);
      this.#report(step, place.at);
      place.at = step.to;
    }
  }

  #skipTo(offset: number): void {
    const place = placeOf(this.#state);
    if (place === undefined) return;
    place.at = offset;
    this.#events.onBreak(this.ref, 'gap', { epoch: place.epoch, offset });
  }
}
