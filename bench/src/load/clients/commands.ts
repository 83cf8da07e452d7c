import type { CallDialectName } from './answerer.js';
import type { DialectName } from './dialects.js';
import type { ReturnDialectName } from './standpoint.js';

/** Opens subscribers and resolves when all of them are subscribed. */
export interface WatchCommand {
  readonly kind: 'watch';
  readonly dialect: DialectName;
  readonly url: string;
  readonly count: number;
  readonly group: string;
  /** Whether each subscriber watches its own group. */
  readonly apart?: boolean;
  /** Number of subscribers that measure latency. The other ones count frames. @default 0 */
  readonly sampled?: number;
}

/** Opens subscribers that only count frames, in their own process. Resolves when all of them are subscribed. */
export interface SinkCommand {
  readonly kind: 'sink';
  readonly binary: string;
  readonly dialect: DialectName;
  readonly url: string;
  readonly count: number;
  readonly group: string;
}

/**
 * Opens subscribers that stop reading, or read very slowly. They run in the compiled counter, which can keep their kernel buffers small;
 * without it the kernel takes megabytes before the server notices.
 */
export interface StallCommand {
  readonly kind: 'stall';
  readonly binary: string | undefined;
  readonly dialect: DialectName;
  readonly url: string;
  readonly group: string;
  readonly count: number;
  /** Bytes that each of them reads per second; 0: it stops reading. */
  readonly bytesPerSecond: number;
}

/** Opens readers of event streams, each for the same groups. */
export interface WatchEventsCommand {
  readonly kind: 'watch-events';
  /** Base URL of the stream port, with `http:`. */
  readonly url: string;
  readonly groups: readonly string[];
  readonly count: number;
  /** Readers that measure the latency of each change. @default 0 */
  readonly sampled?: number;
}

/** Opens one reader of an event stream that stops reading. `end-stall` closes it. */
export interface StallEventsCommand {
  readonly kind: 'stall-events';
  readonly url: string;
  readonly groups: readonly string[];
}

/** Closes the subscribers of `stall` and `stall-events`. */
export interface EndStallCommand {
  readonly kind: 'end-stall';
}

/**
 * Writes at an even rate and reports one window. Latency counts from the planned time of a write, so that a late writer does not improve
 * it.
 */
export interface PaceCommand {
  readonly kind: 'pace';
  readonly dialect: DialectName;
  readonly url: string;
  readonly group: string;
  readonly rate: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
  /** Process id of the server, for its processor time in the window. */
  readonly pid: number;
  /** Process ids whose processor time is reported too. @default none */
  readonly others?: readonly number[];
  /** Number of groups that the writes go to in turn: `group` with a number behind it. @default only `group` itself */
  readonly groups?: number;
}

/** Keeps a number of acknowledged writes in flight over one connection and reports one window. */
export interface SaturateCommand {
  readonly kind: 'saturate';
  readonly dialect: DialectName;
  readonly url: string;
  readonly group: string;
  readonly inFlight: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
  readonly pid: number;
  readonly others?: readonly number[];
  readonly groups?: number;
}

/** Writes once to each of the groups. Resolves when all writes are acknowledged. */
export interface RoundCommand {
  readonly kind: 'round';
  readonly dialect: DialectName;
  readonly url: string;
  readonly group: string;
  readonly groups: number;
  readonly inFlight: number;
}

/** Connects a worker that answers HTTP requests and the calls of `saturate` in the same dialect. */
export interface AnswerCommand {
  readonly kind: 'answer';
  readonly dialect: CallDialectName;
  readonly url: string;
}

/** Sends one HTTP request after another over one connection and reports one window. */
export interface RequestCommand {
  readonly kind: 'request';
  readonly url: string;
  readonly warmUpMs: number;
  readonly windowMs: number;
  readonly pid: number;
}

/** Sends bytes from one socket to another one through a server, and reports the duration. */
export interface TransferCommand {
  readonly kind: 'transfer';
  /** `rivulet` uses a new channel. With `relay` the server passes on every message. */
  readonly through: 'rivulet' | 'relay';
  readonly url: string;
  readonly bytes: number;
}

export interface TransferReport {
  readonly bytes: number;
  readonly seconds: number;
}

/** Opens subscribers that check every message and reconnect after each loss. Resolves when all of them are subscribed. */
export interface AttachCommand {
  readonly kind: 'attach';
  readonly dialect: ReturnDialectName;
  readonly url: string;
  readonly count: number;
  readonly group: string;
}

/** Publishes numbered messages to the attached subscribers. Resolves when they have all messages. */
export interface PublishCommand {
  readonly kind: 'publish';
  readonly url: string;
  readonly rate: number;
  readonly windowMs: number;
}

/**
 * Publishes messages while each attached subscriber destroys its socket once in a cycle, and stays disconnected for `awayMs` on average.
 */
export interface JitterCommand {
  readonly kind: 'jitter';
  /** Address for the writer. */
  readonly url: string;
  readonly rate: number;
  readonly cycleMs: number;
  readonly awayMs: number;
  readonly cycles: number;
  readonly pid: number;
}

/**
 * Waits until the attached subscribers have lost their server and are back, at most `withinMs`. It publishes as soon as the server is back.
 */
export interface ComeBackCommand {
  readonly kind: 'come-back';
  readonly url: string;
  readonly rate: number;
  readonly withinMs: number;
}

/** The report of reconnecting subscribers. Times are in milliseconds; NaN without a sample. */
export interface ReturnReport {
  readonly published: number;
  /** Share of the published messages that arrived, over all subscribers. */
  readonly deliveredShare: number;
  readonly lost: number;
  /** Messages that arrived twice, or after a later one. */
  readonly repeated: number;
  /** Reconnects after which a subscriber had every message again. */
  readonly returned: number;
  /** Reconnects without a resumption: the subscriber began with a snapshot, or with nothing. */
  readonly anew: number;
  /** Attempts to connect that failed, and connections that the server ended. */
  readonly failed: number;
  /** From the attempt to connect to the open socket. Failed attempts are left out. */
  readonly openP99: number;
  /** From the open socket to the last message that was published before it opened. */
  readonly replayP50: number;
  readonly replayP99: number;
  /** From the first loss to the return of a share of all subscribers. */
  readonly backMs: readonly number[];
  readonly backAfter99Ms: number;
  readonly backAfterAllMs: number;
  readonly seconds: number;
  /** Processor seconds of the server, and of the load. */
  readonly serverCpu: number;
  readonly loadCpu: number;
}

/** Commands that report {@link ReturnReport}. */
export type ReturnCommand = JitterCommand | ComeBackCommand;

export type LoadCommand =
  | WatchCommand
  | SinkCommand
  | StallCommand
  | WatchEventsCommand
  | StallEventsCommand
  | EndStallCommand
  | PaceCommand
  | SaturateCommand
  | RoundCommand
  | AnswerCommand
  | RequestCommand
  | TransferCommand
  | AttachCommand
  | PublishCommand
  | ReturnCommand;

/** Commands that measure a window. */
export type WindowCommand = PaceCommand | SaturateCommand | RequestCommand;

/** The report of a window. Times are in milliseconds, rates per second; NaN without a sample. */
export interface WindowReport {
  readonly sent: number;
  readonly acknowledged: number;
  /** Writes that were answered with an error. */
  readonly refused: number;
  readonly deliveries: number;
  readonly seconds: number;
  readonly deliveryP50: number;
  readonly deliveryP99: number;
  readonly ackP50: number;
  readonly ackP99: number;
  /** Processor time of the server in the window. */
  readonly serverUser: number;
  readonly serverSystem: number;
  /** Processor time of the other named processes, user and kernel together. */
  readonly others: readonly number[];
  /** Share of one processor that the load used. Near 1, the load was the bottleneck. */
  readonly loadCpu: number;
}
