/** Stage of an operation: `ok` was applied, `fail` was definitely not applied, and `info` may have been applied. */
export type Stage = 'invoke' | 'ok' | 'fail' | 'info';

/** Effect of a change on its group. */
export type Effect = 'create' | 'update' | 'delete' | 'event';

/** One line of a history. The recorder adds numbers and times, so that one clock orders all operations. */
interface Recorded {
  readonly i: number;
  /** Microseconds since the recorder began. */
  readonly t: number;
  /** Process of the operation: a writer, a subscription, the store or the nemesis. A process has one open operation at a time. */
  readonly p: string;
  readonly type: Stage;
}

/** A write. Values are unique (`writer.counter`), so that each read value identifies its write. The answer adds `e` and `s`. */
export interface WriteOp extends Recorded {
  readonly f: 'set' | 'update' | 'delete' | 'send';
  readonly g: string;
  readonly k?: string;
  readonly v?: string;
  readonly e?: string;
  readonly s?: number;
  /** Whether the write was applied without an effect, such as the delete of a missing item. */
  readonly unchanged?: boolean;
  /** Whether an earlier write with the same idempotency key was applied. */
  readonly replayed?: boolean;
}

/** Several writes that are applied together or not at all, from offset `first` to offset `s`. */
export interface BatchOp extends Recorded {
  readonly f: 'batch';
  readonly g: string;
  readonly writes: readonly { readonly k: string; readonly v?: string }[];
  readonly e?: string;
  readonly first?: number;
  readonly s?: number;
}

/** A read of a worker. A missing item has no value. */
export interface ReadOp extends Recorded {
  readonly f: 'read';
  readonly g: string;
  readonly k: string;
  readonly v?: string;
}

/** A change at the moment when it became durable, recorded below the engine. Only simulations have this operation. */
export interface CommitOp extends Recorded {
  readonly f: 'commit';
  readonly g: string;
  readonly e: string;
  readonly s: number;
  readonly op: Effect;
  readonly k?: string;
  readonly v?: string;
  readonly created?: number;
}

/** A change that a subscription received. */
export interface RecvOp extends Recorded {
  readonly f: 'recv';
  readonly g: string;
  readonly e: string;
  readonly s: number;
  readonly op: Effect;
  readonly k?: string;
  readonly v?: string;
  /** Item that the subscription watches. A subscription of a whole group has none. */
  readonly item?: string;
  /** `sdk` is a change that the application saw. `wire` is a repetition that the client dropped. */
  readonly via: 'sdk' | 'wire';
  /** Timestamp of a live frame or of a frame from the log. Compacted changes have none, because it has no meaning there. */
  readonly ts?: number;
  /** Whether the change is part of the answer `changes`, which has only the newest values and may skip offsets. */
  readonly compacted?: boolean;
  /** Last offset of the batch that the change belongs to. */
  readonly through?: number;
}

/** An item of a state: id, value and offset of its creation, in the order of the group. */
export type ShownItem = readonly [id: string, value: string, created: number];

interface State {
  readonly g: string;
  readonly e: string;
  readonly s: number;
  readonly n: number;
  readonly hash: string;
  /** Items of the state. A large state has none. */
  readonly items?: readonly ShownItem[];
  /** Whether the frame had no offsets of creation. Then all are 0, and only the order is known. */
  readonly loose?: boolean;
}

/** A `sync` that a subscription received. */
export interface SnapshotOp extends Recorded, State {
  readonly f: 'snapshot';
  readonly item?: string;
  readonly ts?: number;
  /** Reason of the `sync`, if the subscription had a position before. */
  readonly reset?: string;
}

/** State of a subscription when all activity has ended. */
export interface MirrorOp extends Recorded, State {
  readonly f: 'mirror';
  readonly item?: string;
}

/** A group on the disk at the end, read by another process or below the engine. `changed` has the offset of each item's last change. */
export interface FinalOp extends Recorded, State {
  readonly f: 'final';
  readonly changed?: readonly number[];
}

export interface ResumedOp extends Recorded {
  readonly f: 'resumed';
  readonly g: string;
  readonly e: string;
  readonly mode: 'tail' | 'changes';
  readonly from: number;
  readonly to: number;
  readonly item?: string;
}

/** The end of compacted changes. */
export interface CaughtUpOp extends Recorded {
  readonly f: 'caught_up';
  readonly g: string;
  readonly e: string;
  readonly s: number;
  readonly item?: string;
}

export interface GapOp extends Recorded {
  readonly f: 'gap';
  readonly g: string;
  readonly after: number;
  readonly through: number;
}

/** A subscription: `invoke` is the join, `fail` its refusal and `close` its end. `info` means that the connection was lost. */
export interface JoinOp extends Recorded {
  readonly f: 'join' | 'close';
  readonly g: string;
  readonly who: string;
  readonly item?: string;
  /** Epoch of the position in the join. */
  readonly e?: string;
  readonly s?: number;
}

/** A permission that an identity gains or loses: the right to read a group. */
export interface GrantOp extends Recorded {
  readonly f: 'grant' | 'revoke';
  readonly who: string;
  readonly g: string;
}

/** A call of a function that is no write, one execution of it, or one answer to it. */
export interface CallOp extends Recorded {
  readonly f: 'call' | 'exec' | 'answer';
  readonly call: string;
  /** Result in an answer. */
  readonly v?: string;
}

/**
 * A join function that allowed a subscription, or a leave function that was called at its end. `sub` identifies the join, not the
 * subscription.
 */
export interface MemberOp extends Recorded {
  readonly f: 'entered' | 'left';
  readonly sub: string;
}

export const NEMESIS_VERBS = [
  'kill-engine',
  'start-engine',
  'pause',
  'resume',
  'wipe-store',
  'commit-fails',
  'cut-off',
  'commit-slow',
  'commit-well',
  'latency',
  'bandwidth',
  'slice',
  'blackhole',
  'reset',
  'cut-after',
  'refuse',
  'heal',
  'quiet',
  'stalled',
  'time-passes',
  'kill-redis',
  'start-redis',
] as const;
export type NemesisVerb = (typeof NEMESIS_VERBS)[number];

export interface NemesisOp extends Recorded {
  readonly f: 'nemesis';
  readonly verb: NemesisVerb;
  readonly on?: string;
  readonly with?: string;
}

/** Figures of a process that must not grow without bound. */
export interface SampleOp extends Recorded {
  readonly f: 'sample';
  readonly values: Readonly<Record<string, number>>;
}

export type Op =
  | WriteOp
  | BatchOp
  | ReadOp
  | CommitOp
  | RecvOp
  | SnapshotOp
  | MirrorOp
  | FinalOp
  | ResumedOp
  | CaughtUpOp
  | GapOp
  | JoinOp
  | GrantOp
  | CallOp
  | MemberOp
  | NemesisOp
  | SampleOp;

type WithoutStamp<T> = T extends Op ? Omit<T, 'i' | 't'> : never;
/** An operation without the number and the time of the recorder. */
export type NewOp = WithoutStamp<Op>;
