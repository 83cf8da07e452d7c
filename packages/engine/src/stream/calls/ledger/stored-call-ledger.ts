import { randomUUID } from 'node:crypto';
import { LIMITS, RivuletError, utf8Length } from '@rivulet/protocol';
import { runInBackground } from '../../../logging/background.js';
import type { Logger } from '../../../logging/logger.js';
import type { WritableStore } from '../../../store/store.js';
import { type Clock, timersOf } from '../../../structures/clock.js';
import type { CallLedger, CallName, CallOutcome, LedgerCall, LedgerEntry, LedgerRun } from '../call-ledger.js';
import { CallBeats, type Sleep } from './call-beats.js';
import type { CallEnd, StoredEnd } from './call-end.js';
import { CallEnds } from './call-ends.js';
import { type CallPlace, CallRecords, placeOf } from './call-records.js';
import { CallShares } from './call-shares.js';
import { LedgerAge } from './ledger-age.js';
import { OpenCall } from './open-call.js';

/** Records stay longer than repeats may ask for them: a repeat travels, and the clocks of two engines differ. In milliseconds. */
const MARGIN_MS = 60_000;
/** Attempts of one call. Each attempt but the last was released. */
const MOST_ATTEMPTS = 32;
/** Tries to store an end, and the pause after the first of them. Each further pause is twice as long. */
const MOST_TRIES = 6;
const FIRST_PAUSE_MS = 200;
/** Claims that failed, of which the ledger remembers that their calls did not run. */
const MOST_UNCLAIMED = 10_000;

/** The store has the claim of this engine. */
const GRANTED = Symbol('granted');
/** The store has it too, and may have lost an earlier one. */
const LOST = Symbol('lost');

export interface StoredCallLedgerOptions {
  /** The store of streams. Its owner opens and closes it. */
  readonly store: WritableStore;
  /** Milliseconds after its first send in which a repeat gets the outcome of the call. */
  readonly retentionMs: number;
  /** Whether other engines may use the store at the same time. */
  readonly isShared: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Longest time for which a repeat waits for the running call, in milliseconds. @default LIMITS.callWaitMs */
  readonly waitMs?: number;
  /** The most remembered calls of one identity, or of one address without an identity. @default LIMITS.callerKeyedCalls */
  readonly callerCalls?: number;
  /** @default a timer that does not keep the process alive */
  readonly sleep?: Sleep;
}

/** An attempt that this engine may run. */
interface Granted {
  readonly kind: 'granted';
  readonly attempt: number;
}

/**
 * The ledger of calls in the stream store.
 *
 * A call takes these steps. The words in capitals are records of the store (call-records.ts):
 *
 * ```
 * begin ──► CLAIM, durable ──► run ──► the engine calls the function ──► finish, release or abandon ──► END
 *             │ there is an earlier claim
 *             ├──► END exists: done or unknown; after a release, CLAIM of the next attempt
 *             ├──► its engine lives (BEATs): wait for END
 *             └──► its engine is dead: unknown, or run again when the function is idempotent
 * ```
 *
 * An engine may die between any two steps. Before CLAIM, the function did not run, and a repeat runs. After it, nobody can know whether the
 * function ran, and a repeat gets `unknown`.
 *
 * A repeat without a claim runs only if the store must still know the claim. It may have forgotten it when the retention is over, or when
 * it has lost records (ledger-age.ts).
 */
export class StoredCallLedger implements CallLedger {
  readonly #options: StoredCallLedgerOptions;
  readonly #records: CallRecords;
  readonly #age: LedgerAge;
  readonly #beats: CallBeats;
  readonly #ends: CallEnds;
  readonly #shares: CallShares;
  readonly #waitMs: number;
  readonly #sleep: Sleep;
  /** Names this run of the engine in claims. */
  readonly #run = randomUUID();
  /** Calls that are decided, that run, or whose end is not stored yet, by the id of their place. */
  readonly #open = new Map<string, OpenCall>();
  /** Claims of which nobody knows whether the store has them, by place and attempt. Their calls did not run. */
  readonly #unclaimed = new Map<string, string>();
  readonly #storing = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: StoredCallLedgerOptions) {
    this.#options = options;
    const { store, retentionMs, clock, logger, waitMs = LIMITS.callWaitMs, sleep = unrefSleep } = options;
    this.#waitMs = waitMs;
    this.#sleep = sleep;
    this.#shares = new CallShares(clock, retentionMs + MARGIN_MS, options.callerCalls);
    const records = new CallRecords(store, retentionMs + MARGIN_MS);
    this.#records = records;
    this.#age = new LedgerAge(records, clock);
    this.#ends = new CallEnds(records, clock, options.isShared);
    this.#beats = new CallBeats({ records, open: this.#open, clock, sleep, logger, waitMs });
  }

  /** Reads how old the records of the store are. Call it once, when the store is open. If it fails, the first repeat reads it. */
  async start(): Promise<void> {
    await this.#age.meetAll().catch((error: unknown) => this.#options.logger.debug('call_ledger_late', { error }));
  }

  async begin(call: LedgerCall, onWait?: () => void): Promise<LedgerEntry> {
    const place = placeOf(call);
    try {
      for (;;) {
        const earlier = this.#open.get(place.id);
        if (earlier === undefined) return await this.#beginFirst(call, place, onWait);
        onWait?.();
        const end = await this.#await(earlier);
        if (end.kind !== 'released' && !(end.kind === 'lost' && call.idempotent)) return entryOf(end);
      }
    } catch (error) {
      if (call.repeatedAfterMs === undefined || !(error instanceof RivuletError)) throw error;
      // An earlier attempt may have run, so a plain error would say too much.
      return { kind: 'unknown', message: `the engine can't find out whether the call ran: ${error.message}` };
    }
  }

  async findOutcome(call: CallName): Promise<CallOutcome | undefined> {
    const place = placeOf(call);
    const open = this.#open.get(place.id);
    if (open !== undefined) return open.outcome;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const end = await this.#records.findEnd(place, attempt);
      if (end?.kind === 'ended') return end.outcome;
      if (end?.kind !== 'released') return undefined;
    }
    return undefined;
  }

  /** Stops waiting and beating. Resolves when the store has the ends that are on their way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#beats.close();
    this.#ends.close();
    await Promise.allSettled(this.#storing);
  }

  async #beginFirst(call: LedgerCall, place: CallPlace, onWait: (() => void) | undefined): Promise<LedgerEntry> {
    const open = new OpenCall(place);
    this.#open.set(place.id, open);
    try {
      const decided = await this.#decide(call, place, onWait);
      if (decided.kind === 'granted') return { kind: 'run', run: this.#runs(open, decided.attempt) };
      this.#open.delete(place.id);
      open.end(decided);
      return entryOf(decided);
    } catch (error) {
      this.#open.delete(place.id);
      open.fail(error);
      throw error;
    }
  }

  async #decide(call: LedgerCall, place: CallPlace, onWait: (() => void) | undefined): Promise<CallEnd | Granted> {
    const records = this.#records;
    let epoch: string | undefined;
    let mayClaim = true;
    if (call.repeatedAfterMs !== undefined && !call.idempotent) {
      const covers = await this.#age.covers(place.group, call.repeatedAfterMs);
      mayClaim = covers.isCovered && call.repeatedAfterMs < this.#options.retentionMs;
      ({ epoch } = covers);
    }
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const claim = await (mayClaim ? this.#claim(place, attempt, epoch, call) : records.findClaim(place, attempt));
      if (claim === GRANTED) return { kind: 'granted', attempt };
      if (claim === LOST) return { kind: 'unknown', message: 'the engine has lost its records of earlier calls' };
      if (claim === undefined) return { kind: 'unknown', message: 'the engine may have forgotten an earlier attempt of the call' };
      const end = await this.#endOf(place, attempt, claim, onWait);
      if (end === 'late') return { kind: 'unknown', message: 'the call still runs at another engine' };
      if (end !== 'dead' && end.kind === 'released') continue;
      if (end !== 'dead' && end.kind === 'ended') return end;
      if (call.idempotent) return { kind: 'granted', attempt };
      return end === 'dead' ? { kind: 'unknown', message: 'the engine that began the call ended before it had the outcome' } : end;
    }
    throw new RivuletError('OVERLOADED', `${MOST_ATTEMPTS} attempts of this call could not run; call again under a new key`);
  }

  /**
   * Claims an attempt. Resolves with the earlier claim of it if there is one. Resolves with LOST when the epoch is another one now,
   * because the store may have lost such a claim.
   */
  async #claim(
    place: CallPlace,
    attempt: number,
    epoch: string | undefined,
    call: LedgerCall,
  ): Promise<string | typeof GRANTED | typeof LOST> {
    const records = this.#records;
    const name = `${attempt} ${place.id}`;
    try {
      this.#shares.requireCapacity(place.caller);
    } catch (error) {
      // A repeat needs no new record when the store has one.
      const earlier = call.repeatedAfterMs === undefined ? undefined : await records.findClaim(place, attempt);
      if (earlier === undefined || earlier === this.#unclaimed.get(name)) throw error;
      return earlier;
    }
    const own = this.#unclaimed.get(name) ?? `${this.#run} ${randomUUID()}`;
    try {
      this.#ends.flush();
      const claim = await records.claim(place, attempt, own);
      if (claim !== own) return claim;
      const isLost = epoch !== undefined && epoch !== (await records.epochOf(place.group));
      this.#unclaimed.delete(name);
      if (!isLost) return GRANTED;
    } catch (error) {
      if (this.#unclaimed.size < MOST_UNCLAIMED) this.#unclaimed.set(name, own);
      throw error;
    }
    await records.storeEnd(place, attempt, { kind: 'lost' });
    return LOST;
  }

  /** Finds the end of an attempt that was claimed earlier, and that does not run here. Waits while it runs at another engine. */
  async #endOf(place: CallPlace, attempt: number, claim: string, onWait: (() => void) | undefined): Promise<StoredEnd | 'dead' | 'late'> {
    const end = await this.#records.findEnd(place, attempt);
    if (end !== undefined) return end;
    if (!this.#options.isShared || claim.startsWith(this.#run)) return 'dead';
    onWait?.();
    return this.#beats.waitFor(place, attempt);
  }

  #runs(open: OpenCall, attempt: number): LedgerRun {
    const { clock, isShared, logger } = this.#options;
    open.running = { attempt, since: clock.monotonic() };
    this.#shares.addCall(open.place.caller);
    if (isShared) runInBackground(this.#beats.show(), logger, 'call_beats');
    let stored: Promise<void> | undefined;
    const end = (how: StoredEnd) => {
      stored ??= this.#end(open, attempt, how);
      return stored;
    };
    return {
      finish: (outcome) => end({ kind: 'ended', outcome }),
      release: () => end({ kind: 'released' }),
      abandon: () => end({ kind: 'lost' }),
    };
  }

  /** Ends an attempt that ran here. Until an outcome is stored, repeats get it from memory. */
  async #end(open: OpenCall, attempt: number, end: StoredEnd): Promise<void> {
    if (end.kind === 'ended') open.end(end);
    await this.#store(open.place, attempt, this.#kept(open.place.caller, end));
    this.#open.delete(open.place.id);
    open.end(end);
  }

  /** Returns the end that the store gets. A large outcome is not kept. */
  #kept(caller: string, end: StoredEnd): StoredEnd {
    if (end.kind !== 'ended') return end;
    const bytes = bytesOf(end.outcome);
    return bytes <= LIMITS.callOutcomeBytes && this.#shares.takeBytes(caller, bytes) ? end : { kind: 'lost' };
  }

  /** Never rejects. */
  async #store(place: CallPlace, attempt: number, end: StoredEnd): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    for (let tries = 1; ; tries++, pause *= 2) {
      const storing = this.#ends.store(place, attempt, end);
      this.#storing.add(storing);
      try {
        return await storing;
      } catch (error) {
        if (tries === MOST_TRIES || this.#isClosed) {
          const consequence = 'a repeat of this call gets OUTCOME_UNKNOWN';
          this.#options.logger.warn('call_end_not_stored', { error, consequence });
          return;
        }
      } finally {
        this.#storing.delete(storing);
      }
      await this.#sleep(pause);
    }
  }

  /** Waits for a call of this engine. */
  #await(earlier: OpenCall): Promise<CallEnd> {
    const timers = timersOf(this.#options.clock);
    return new Promise((resolve, reject) => {
      const timer = timers.once(this.#waitMs, () => resolve({ kind: 'unknown', message: 'the call still runs' }));
      timer.unref();
      earlier.ended.finally(() => timers.cancel(timer)).then(resolve, reject);
    });
  }
}

function entryOf(end: CallEnd): LedgerEntry {
  if (end.kind === 'ended') return { kind: 'done', outcome: end.outcome };
  return { kind: 'unknown', message: end.kind === 'unknown' ? end.message : 'the call has ended, and its outcome was not kept' };
}

/** Returns the UTF-8 bytes of an outcome. */
function bytesOf(outcome: CallOutcome): number {
  return utf8Length(outcome.kind === 'result' ? (outcome.text ?? '') : JSON.stringify(outcome.error));
}

function unrefSleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}
