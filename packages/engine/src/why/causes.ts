import type { DeleteCause, JoinRefuser, SessionEnd, UpgradeRefuser } from './why-records.js';

/** Members that the details of all causes may have. */
interface Subject {
  readonly session_id?: string;
  readonly identity?: string;
  readonly stream: string;
  readonly group: string;
  readonly item?: string;
}

/** A join as the answer shows it. */
export interface ShownJoin {
  readonly stream: string;
  readonly group: string;
  readonly item?: string;
}

interface Waiting {
  /** Offset up to which changes were handed to the socket; -1 when a `sync` is owed. */
  readonly through: number;
  readonly head: number;
  /** Number of changes that the client does not have yet. */
  readonly behind: number;
  readonly unsent_bytes: number;
  /** `reader`: its socket takes no more. `engine`: the engine is about to send. `join`: the join has no answer yet. */
  readonly waits_for: 'reader' | 'engine' | 'join';
}

interface Failed {
  readonly code: string;
  readonly reason: string;
  /** Item whose condition did not hold. */
  readonly failed_item?: string;
}

interface Delete {
  /** How the change that deletes the item reached the client. */
  readonly delete: WhyAnswer;
}

/** A fact that an answer would need and that the engine does not know any more. */
export type MissingFact =
  | 'session'
  | 'joins'
  | 'refused_joins'
  | 'refused_writes'
  | 'cause_of_delete'
  | 'item_of_offset'
  | 'history_of_item'
  | 'delivery';

/** The details of each cause. docs/why.md has a row for each, and a test compares both. */
interface Details {
  readonly delivered: { readonly by?: 'flush' | 'catch_up' };
  readonly in_sync: { readonly joined_at_offset: number };
  readonly had_already: { readonly joined_at_offset: number };
  readonly resynced: { readonly mode: 'sync' | 'changes'; readonly reason: string; readonly from: number; readonly to: number };
  readonly behind: Waiting;
  readonly filtered: { readonly items: readonly string[]; readonly more: boolean };
  readonly not_joined: { readonly joins: readonly ShownJoin[]; readonly more: boolean; readonly near: readonly string[] };
  readonly join_waiting: object;
  readonly join_refused: { readonly by: JoinRefuser; readonly function?: string; readonly reason: string };
  readonly upgrade_refused: { readonly by: UpgradeRefuser; readonly reason: string; readonly address: string };
  readonly session_ended: {
    readonly because: SessionEnd;
    readonly code: number;
    readonly through?: number;
    /** Present when the session had not joined the group at its end. */
    readonly joined?: false;
  };
  readonly unknown_session: { readonly known_since_ms: number };
  readonly several_sessions: { readonly answers: readonly WhyAnswer[]; readonly more: boolean };
  readonly deleted_by_call: Delete;
  readonly deleted_by_ttl: Delete;
  readonly deleted_by_lease: Delete;
  readonly deleted_by_bound: Delete;
  readonly refused_by_condition: Failed;
  readonly refused_with_batch: Failed;
  readonly refused_by_limit: Failed;
  readonly write_failed: Failed;
  readonly never_written: { readonly head?: number; readonly item_of_offset?: string };
  readonly store_unavailable: { readonly for_ms: number };
  readonly not_known_any_more: {
    readonly missing: MissingFact;
    readonly known_since_ms?: number;
    /** Present for a session id that another run of the engine, or another engine, has made. */
    readonly of_another_run?: true;
    /** The answer that holds unless the missing fact says otherwise. */
    readonly otherwise?: WhyAnswer;
  };
}

export type Cause = keyof Details;

export type DetailOf<C extends Cause> = Subject & Details[C];

/** The answer to "why did this client not get that change?". */
export type WhyAnswer = {
  readonly [C in Cause]: {
    readonly cause: C;
    /** Unix milliseconds: of the flush that sent the change, else of the event that `cause` names. */
    readonly at?: number;
    /** Offset of the change. */
    readonly offset?: number;
    readonly detail: DetailOf<C>;
  };
}[Cause];

/** All causes. The type checks that none is left out. */
export const CAUSES: Readonly<Record<Cause, true>> = {
  delivered: true,
  in_sync: true,
  had_already: true,
  resynced: true,
  behind: true,
  filtered: true,
  not_joined: true,
  join_waiting: true,
  join_refused: true,
  upgrade_refused: true,
  session_ended: true,
  unknown_session: true,
  several_sessions: true,
  deleted_by_call: true,
  deleted_by_ttl: true,
  deleted_by_lease: true,
  deleted_by_bound: true,
  refused_by_condition: true,
  refused_with_batch: true,
  refused_by_limit: true,
  write_failed: true,
  never_written: true,
  store_unavailable: true,
  not_known_any_more: true,
};

/** Returns the cause of a delete; `undefined` when its store does not say it. */
export function causeOfDelete(
  by: DeleteCause,
): Extract<Cause, 'deleted_by_call' | 'deleted_by_ttl' | 'deleted_by_lease' | 'deleted_by_bound'> | undefined {
  return by === undefined ? undefined : `deleted_by_${by}`;
}

/** Returns an answer. Members that are `undefined` are left out. */
export function answerOf<C extends Cause>(
  cause: C,
  detail: DetailOf<C>,
  { at, offset }: { readonly at?: number | undefined; readonly offset?: number | undefined } = {},
): WhyAnswer {
  return {
    cause,
    ...(at === undefined ? {} : { at: Math.round(at) }),
    ...(offset === undefined ? {} : { offset }),
    detail,
  } as WhyAnswer;
}
