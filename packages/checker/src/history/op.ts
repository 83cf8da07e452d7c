/** How an operation stands: `ok` happened, `fail` definitely did not, `info` may have. */
export type Stage = 'invoke' | 'ok' | 'fail' | 'info';

/** What a change did to its group. */
export type Effect = 'create' | 'update' | 'delete' | 'event';

/** One line of a history. Numbers and times are given by the recorder, so that one clock orders everything. */
interface Recorded {
  readonly i: number;
  /** Microseconds since the recorder began. */
  readonly t: number;
  /** Who: a writer, a subscription of a client, the store, the nemesis. A process has one operation open at a time. */
  readonly p: string;
  readonly type: Stage;
}

/** A write. Values are unique (`writer.counter`), so that whoever reads one knows its write. `e` and `s` come with the answer. */
export interface WriteOp extends Recorded {
  readonly f: 'set' | 'update' | 'delete' | 'send';
  readonly g: string;
  readonly k?: string;
  readonly v?: string;
  readonly e?: string;
  readonly s?: number;
  /** It was carried out and did nothing, as the delete of an item that is not there. */
  readonly unchanged?: boolean;
  /** It was carried out before, under the same key. */
  readonly replayed?: boolean;
}

/** Several writes that take effect together or not at all, from offset `first` to `s`. */
export interface BatchOp extends Recorded {
  readonly f: 'batch';
  readonly g: string;
  readonly writes: readonly { readonly k: string; readonly v?: string }[];
  readonly e?: string;
  readonly first?: number;
  readonly s?: number;
}

/** What a worker read: no value when there is no such item. */
export interface ReadOp extends Recorded {
  readonly f: 'read';
  readonly g: string;
  readonly k: string;
  readonly v?: string;
}

/** A change at the moment when it became durable, seen below everything that is under test. Only simulations have these. */
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

/** A change as a subscription got it. */
export interface RecvOp extends Recorded {
  readonly f: 'recv';
  readonly g: string;
  readonly e: string;
  readonly s: number;
  readonly op: Effect;
  readonly k?: string;
  readonly v?: string;
  /** The item that the subscription watches; absent: the whole group. */
  readonly item?: string;
  /** `sdk`: shown to the application. `wire`: a repetition that the client dropped. */
  readonly via: 'sdk' | 'wire';
  /** Of a live frame or one of the log; absent in compacted changes, where it says nothing. */
  readonly ts?: number;
  /** Part of the answer `changes`: newest values only, offsets may be left out. */
  readonly compacted?: boolean;
  /** Last offset of the batch that it belongs to. */
  readonly through?: number;
}

/** An item as a state shows it: id, value, offset of creation. In the order of the group. */
export type ShownItem = readonly [id: string, value: string, created: number];

interface State {
  readonly g: string;
  readonly e: string;
  readonly s: number;
  readonly n: number;
  readonly hash: string;
  /** Absent in large states. */
  readonly items?: readonly ShownItem[];
  /** The frame did not tell when the items were created: all are 0, and only their order is known. */
  readonly loose?: boolean;
}

/** A `sync` that a subscription got. */
export interface SnapshotOp extends Recorded, State {
  readonly f: 'snapshot';
  readonly item?: string;
  readonly ts?: number;
  /** Why it came where the subscription had a position. */
  readonly reset?: string;
}

/** What a subscription holds when everything is quiet. */
export interface MirrorOp extends Recorded, State {
  readonly f: 'mirror';
  readonly item?: string;
}

/** A group as it is on the disk at the end, read in another process or below the engine. `changed`: offset of each item's last change. */
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

/** `invoke`: asked for; `fail`: refused; `close`: the subscription ended, `info` when its connection was lost. */
export interface JoinOp extends Recorded {
  readonly f: 'join' | 'close';
  readonly g: string;
  readonly who: string;
  readonly item?: string;
  /** Where the subscription said that it stood. */
  readonly e?: string;
  readonly s?: number;
}

/** An identity may read a group from then on, or no more. */
export interface GrantOp extends Recorded {
  readonly f: 'grant' | 'revoke';
  readonly who: string;
  readonly g: string;
}

/** A call of a function that is not a write, one execution of it, or one answer to it as it came over the wire. */
export interface CallOp extends Recorded {
  readonly f: 'call' | 'exec' | 'answer';
  readonly call: string;
  /** Of an answer: what came back. */
  readonly v?: string;
}

/** A join function let a subscription in, or a leave function was told that it ended. `sub` names the join, not the subscription. */
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

/** Figures of a process that must not grow for ever. */
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
/** An operation before the recorder has stamped it. */
export type NewOp = WithoutStamp<Op>;
