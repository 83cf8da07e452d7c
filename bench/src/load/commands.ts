import type { CallDialectName } from './answerer.js';
import type { DialectName } from './dialects.js';

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

/** Opens subscribers that only count, in a process made for it, and resolves when all of them are subscribed. */
export interface SinkCommand {
  readonly kind: 'sink';
  readonly binary: string;
  readonly dialect: DialectName;
  readonly url: string;
  readonly count: number;
  readonly group: string;
}

/** Opens one subscriber that stops reading at once; without the binary its kernel buffers take megabytes before the server notices. */
export interface StallCommand {
  readonly kind: 'stall';
  readonly binary: string | undefined;
  readonly dialect: DialectName;
  readonly url: string;
  readonly group: string;
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

export type LoadCommand =
  | WatchCommand
  | SinkCommand
  | StallCommand
  | EndStallCommand
  | PaceCommand
  | SaturateCommand
  | AnswerCommand
  | RequestCommand
  | TransferCommand;

/** Commands that measure a window. */
export type WindowCommand = PaceCommand | SaturateCommand | RequestCommand;

/** What a window showed. Times in milliseconds, rates per second; NaN where nothing was sampled. */
export interface WindowReport {
  readonly sent: number;
  readonly acknowledged: number;
  readonly deliveries: number;
  readonly seconds: number;
  readonly deliveryP50: number;
  readonly deliveryP99: number;
  readonly ackP50: number;
  readonly ackP99: number;
  /** Processor time of the server in the window. */
  readonly serverUser: number;
  readonly serverSystem: number;
  /** Share of one processor that the load used; near 1 the load was the bottleneck. */
  readonly loadCpu: number;
}
