import { LIMITS, type StreamEffect } from '@rivulet/protocol';
import type { Clock } from '../structures/clock.js';
import { FlushRing } from './flush-ring.js';
import { Ring } from './ring.js';
import { SessionIds } from './session-ids.js';
import type { CursorView, JoinView } from './views.js';

/** Why a session ended. */
export type SessionEnd =
  | 'token_expired'
  | 'revoked'
  | 'token_refused'
  | 'overload'
  | 'store_unavailable'
  | 'engine_stopped'
  | 'engine_failed'
  | 'client_closed'
  | 'connection_lost'
  | 'closed';

/** The place of a group in a stream. */
interface Place {
  readonly stream: string;
  readonly group: string;
}

/** Where a session stood in a group when it ended. */
export interface EndedJoin extends Place, CursorView {
  readonly joins: readonly Pick<JoinView, 'item' | 'active' | 'from' | 'since'>[];
}

export interface EndedSession {
  readonly at: number;
  /** Number of the session in this process. */
  readonly session: number;
  readonly sessionId: string | undefined;
  readonly identity: string | undefined;
  readonly because: SessionEnd;
  /** Code of the close frame. */
  readonly code: number;
  /** The groups of its first `LIMITS.whyEndedJoins` joins. */
  readonly groups: readonly EndedJoin[];
  /** Whether the session had more joins. */
  readonly more: boolean;
}

/** The part that refused a connection, or a request of plain HTTP. `stream_join`: a join of such a request was refused. */
export type UpgradeRefuser = 'origin' | 'token' | 'auth_function' | 'stream_join' | 'operator' | 'engine';

export interface RefusedUpgrade {
  readonly at: number;
  readonly identity: string | undefined;
  readonly address: string;
  readonly by: UpgradeRefuser;
  readonly reason: string;
}

/** The part that refused a join: the grants of the token, a function of `stream:join`, or a bound of the engine. */
export type JoinRefuser = 'token_grants' | 'function' | 'bound';

export interface JoinRefusalCause {
  readonly by: JoinRefuser;
  /** Id of the function. */
  readonly function?: string | undefined;
  readonly reason: string;
}

export interface RefusedJoin extends Place, JoinRefusalCause {
  readonly at: number;
  readonly session: number;
  readonly item: string | undefined;
}

/** How a reader that was behind came back: by a `sync`, or by each changed item once. */
export interface Resync extends Place {
  readonly at: number;
  readonly session: number;
  readonly item: string | undefined;
  readonly mode: 'sync' | 'changes';
  readonly reason: string;
  /** The change after this offset was the first that came in no frame of its own; -1: nothing of the history before is valid. */
  readonly from: number;
  readonly to: number;
}

/** Writes that fail: a condition did not hold, or the call has an error with a code. */
export interface FailedWrite extends Place {
  readonly at: number;
  /** The first `LIMITS.whyBatchItems` items of the call. */
  readonly items: readonly string[];
  /** Whether the call had more items. */
  readonly more: boolean;
  readonly kind: 'condition' | 'error';
  /** Whether several changes were refused together. */
  readonly batch: boolean;
  /** Item whose condition did not hold. */
  readonly failedItem: string | undefined;
  readonly code: string;
  readonly reason: string;
  /** Newest offset of the group at that time; `undefined` when nobody watched the group. */
  readonly head: number | undefined;
}

/** Why an item was deleted. `undefined`: its store does not say. */
export type DeleteCause = 'call' | 'ttl' | 'lease' | 'bound' | undefined;

export interface Deleted extends Place {
  readonly at: number;
  readonly item: string;
  readonly epoch: string;
  readonly offset: number;
  readonly by: DeleteCause;
}

/** Sizes of the rings. */
export interface WhySizes {
  /** Most entries of one ring. @default LIMITS.whyEntries */
  readonly entries?: number | undefined;
  /** Milliseconds for which entries are kept. @default LIMITS.whyKeepMs */
  readonly keepMs?: number | undefined;
  /** Most characters of the texts of one ring. @default LIMITS.whyChars */
  readonly chars?: number | undefined;
  /** Most flushes of one group. @default LIMITS.whyFlushes */
  readonly flushes?: number | undefined;
}

/** A durable change, as the records use it. */
export interface CommittedChange extends Place {
  readonly item: string | undefined;
  readonly effect: StreamEffect | 'event';
  readonly position: { readonly epoch: string; readonly offset: number };
}

/**
 * The bounded memory behind "why did this client not get that change?". It exists only in an engine with an admin listener.
 *
 * The rooms report what they decide: the gateway ended sessions and refused upgrades, sessions refused joins, the catch-up resyncs, the
 * functions of streams failed writes, and the stream module deletes. Nothing is recorded for a delivery. Entries have ids, codes and times,
 * and never values.
 */
export class WhyRecords {
  readonly #clock: Clock;
  readonly #flushes: number;
  readonly #flushBudget = { left: LIMITS.whyFlushesOfAll };
  readonly ids = new SessionIds();
  readonly startedAt: number;
  readonly ended: Ring<EndedSession>;
  readonly refusedUpgrades: Ring<RefusedUpgrade>;
  readonly refusedJoins: Ring<RefusedJoin>;
  readonly resyncs: Ring<Resync>;
  readonly failedWrites: Ring<FailedWrite>;
  readonly deletes: Ring<Deleted>;
  /** Returns the newest offset of a watched group. */
  headOf: (ref: Place) => number | undefined = () => undefined;

  constructor(clock: Clock, sizesOf: WhySizes = {}) {
    const { entries = LIMITS.whyEntries, keepMs = LIMITS.whyKeepMs, flushes = LIMITS.whyFlushes, chars = LIMITS.whyChars } = sizesOf;
    this.#clock = clock;
    this.#flushes = flushes;
    this.startedAt = clock.now();
    const sizes = { entries, keepMs, clock };
    this.ended = new Ring(sizes, { chars, charsOf: charsOfEnded });
    this.refusedUpgrades = new Ring(sizes, { chars, charsOf: ({ identity, address, reason }) => charsIn(identity, address, reason) });
    this.refusedJoins = new Ring(sizes, { chars, charsOf: ({ item, reason, ...place }) => charsOfPlace(place) + charsIn(item, reason) });
    this.resyncs = new Ring(sizes, { chars, charsOf: ({ item, reason, ...place }) => charsOfPlace(place) + charsIn(item, reason) });
    this.failedWrites = new Ring(sizes, { chars, charsOf: charsOfWrite });
    this.deletes = new Ring(sizes, { chars, charsOf: (deleted) => charsOfPlace(deleted) + deleted.item.length });
  }

  /** Returns the ring of a group that flushes for the first time. */
  newFlushes(): FlushRing {
    return new FlushRing(this.#flushes, this.#flushBudget);
  }

  sessionEnded(ended: Omit<EndedSession, 'at'>): void {
    // Nobody can ask for a session without a name.
    if (ended.sessionId === undefined && ended.identity === undefined) return;
    this.ended.add({ ...ended, at: this.#clock.now() });
  }

  upgradeRefused(refused: Omit<RefusedUpgrade, 'at'>): void {
    this.refusedUpgrades.add({ ...refused, reason: shortened(refused.reason), at: this.#clock.now() });
  }

  joinRefused(refused: Omit<RefusedJoin, 'at'>): void {
    this.refusedJoins.add({ ...refused, reason: shortened(refused.reason), at: this.#clock.now() });
  }

  resynced(resync: Omit<Resync, 'at'>): void {
    this.resyncs.add({ ...resync, at: this.#clock.now() });
  }

  writeFailed(failed: Omit<FailedWrite, 'at' | 'head'>): void {
    this.failedWrites.add({ ...failed, head: this.headOf(failed), at: this.#clock.now() });
  }

  /** Records a delete, and no other change. */
  committed({ stream, group, item, effect, position }: CommittedChange, by: DeleteCause): void {
    if (effect !== 'delete' || item === undefined) return;
    this.deletes.add({ stream, group, item, ...position, by, at: this.#clock.now() });
  }
}

/** Longest reason that is kept. The code of an error of a worker can be as long as a message. */
const REASON_CHARS = 256;

function shortened(reason: string): string {
  // The copy does not keep the whole text in memory.
  return reason.length > REASON_CHARS ? Buffer.from(reason.slice(0, REASON_CHARS)).toString() : reason;
}

function charsIn(...texts: readonly (string | undefined)[]): number {
  return texts.reduce((sum, text) => sum + (text?.length ?? 0), 0);
}

function charsOfPlace({ stream, group }: Place): number {
  return stream.length + group.length;
}

function charsOfEnded({ identity, groups }: EndedSession): number {
  const texts = groups.map((group) => charsOfPlace(group) + charsIn(...group.joins.map(({ item }) => item)));
  return charsIn(identity) + texts.reduce((sum, chars) => sum + chars, 0);
}

function charsOfWrite({ items, failedItem, code, reason, ...place }: FailedWrite): number {
  return charsOfPlace(place) + charsIn(failedItem, code, reason, ...items);
}
