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
  /** Each subscriber watches a group of its own. */
  readonly apart?: boolean;
  /** How many of them measure latency; the others count frames. Default 0. */
  readonly sampled?: number;
}

/** Opens more subscribers that only count, in a process made for them, and resolves when all of them are subscribed. */
export interface SinkCommand {
  readonly kind: 'sink';
  readonly binary: string;
  readonly dialect: DialectName;
  readonly url: string;
  readonly count: number;
  readonly group: string;
}

/**
 * Opens subscribers that stop reading at once, or go on at a crawl; without the binary their kernel buffers take megabytes before the server
 * notices.
 */
export interface StallCommand {
  readonly kind: 'stall';
  readonly binary: string | undefined;
  readonly dialect: DialectName;
  readonly url: string;
  readonly group: string;
  readonly count: number;
  /** What each of them reads; 0: nothing. */
  readonly bytesPerSecond: number;
}

/** Closes what `stall` opened. */
export interface EndStallCommand {
  readonly kind: 'end-stall';
}

/** Writes at an even rate and reports one window. Latency runs from the moment a message was due, so a late writer does not flatter it. */
export interface PaceCommand {
  readonly kind: 'pace';
  readonly dialect: DialectName;
  readonly url: string;
  readonly group: string;
  readonly rate: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
  /** The server, for its processor time in the window. */
  readonly pid: number;
  /** Other processes, each for its own. Default: none. */
  readonly others?: readonly number[];
  /** Writes go round so many groups, `group` with a number behind it, each as often. Default: to `group` itself. */
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

/** Writes once to each of so many groups and resolves when all is acknowledged. */
export interface RoundCommand {
  readonly kind: 'round';
  readonly dialect: DialectName;
  readonly url: string;
  readonly group: string;
  readonly groups: number;
  readonly inFlight: number;
}

/** Connects a worker that answers the calls of `saturate` with the same dialect, and HTTP requests. */
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

/** Sends bytes from one socket to another through a server and reports how long it took. */
export interface TransferCommand {
  readonly kind: 'transfer';
  /** `rivulet`: through a channel that is created for it. `relay`: the server passes on what one socket sends to the other. */
  readonly through: 'rivulet' | 'relay';
  readonly url: string;
  readonly bytes: number;
}

export interface TransferReport {
  readonly bytes: number;
  readonly seconds: number;
}

/** Opens subscribers that check every message and come back when they lose their connection; resolves when all of them are subscribed. */
export interface AttachCommand {
  readonly kind: 'attach';
  readonly dialect: ReturnDialectName;
  readonly url: string;
  readonly count: number;
  readonly group: string;
}

/** Publishes numbered messages to those that are attached, and resolves when they have them. */
export interface PublishCommand {
  readonly kind: 'publish';
  readonly url: string;
  readonly rate: number;
  readonly windowMs: number;
}

/** Lets each of those that are attached destroy its socket once in a cycle, for `awayMs` on the average, while messages are published. */
export interface JitterCommand {
  readonly kind: 'jitter';
  /** Where the writer connects. */
  readonly url: string;
  readonly rate: number;
  readonly cycleMs: number;
  readonly awayMs: number;
  readonly cycles: number;
  readonly pid: number;
}

/** Waits until those that are attached have lost their server and are back, at most `withinMs`. Messages are published as soon as it is there. */
export interface ComeBackCommand {
  readonly kind: 'come-back';
  readonly url: string;
  readonly rate: number;
  readonly withinMs: number;
}

/** What those that came back saw. Times in milliseconds, NaN where there is nothing to tell. */
export interface ReturnReport {
  readonly published: number;
  /** Share of what was published that came to those it was for, over all subscribers. */
  readonly deliveredShare: number;
  readonly lost: number;
  /** Came twice, or behind a later message. */
  readonly repeated: number;
  /** How often a subscriber came back and had everything again. */
  readonly returned: number;
  /** How often one had to begin anew instead of going on where it stood: with a snapshot, or with nothing. */
  readonly anew: number;
  /** Attempts to connect that came to nothing, and connections that the server ended. */
  readonly failed: number;
  /** From the attempt to connect to the open socket, of those that opened. */
  readonly openP99: number;
  /** From the reopened socket to everything that was published until it opened. */
  readonly replayP50: number;
  readonly replayP99: number;
  /** From the first loss to the moment when each was back; then when a share of all subscribers were. */
  readonly backMs: readonly number[];
  readonly backAfter99Ms: number;
  readonly backAfterAllMs: number;
  readonly seconds: number;
  /** Processor seconds of the server and of the load. */
  readonly serverCpu: number;
  readonly loadCpu: number;
}

/** Commands that report {@link ReturnReport}. */
export type ReturnCommand = JitterCommand | ComeBackCommand;

export type LoadCommand =
  | WatchCommand
  | SinkCommand
  | StallCommand
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

/** What a window showed. Times in milliseconds, rates per second; NaN where nothing was sampled. */
export interface WindowReport {
  readonly sent: number;
  readonly acknowledged: number;
  /** Answered with an error. */
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
  /** Processor time of the other processes that were named, user and kernel together. */
  readonly others: readonly number[];
  /** Share of one processor that the load used; near 1 the load was the bottleneck. */
  readonly loadCpu: number;
}
