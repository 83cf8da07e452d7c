import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import { TokenBucket } from '../../structures/token-bucket.js';
import type { Caller } from '../fabric/invocation.js';

const RATE = { perSecond: LIMITS.workerLogLinesPerSecond, burst: LIMITS.workerLogLinesBurst };
const REPORT_MS = 1_000;

interface LineCount {
  readonly bucket: TokenBucket;
  leftOut: number;
}

/** Bounds the log lines of each worker and reports the count of lines that were left out. */
export class WorkerLogs {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #lines = new WeakMap<Pick<Caller, 'workerId'>, LineCount>();
  /** Counters with lines that were left out since the last report, and their workers. */
  readonly #unreported = new Map<LineCount, string>();

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Returns whether a caller may write a line now, and counts the line. The engine itself always may. */
  mayWrite(caller: Pick<Caller, 'workerId'> | undefined): boolean {
    if (caller === undefined) return true;
    let lines = this.#lines.get(caller);
    if (lines === undefined) {
      lines = { bucket: new TokenBucket(RATE, this.#clock), leftOut: 0 };
      this.#lines.set(caller, lines);
    }
    if (lines.bucket.take()) return true;
    lines.leftOut++;
    if (this.#unreported.size === 0) setTimeout(() => this.#report(), REPORT_MS).unref();
    this.#unreported.set(lines, caller.workerId);
    return false;
  }

  #report(): void {
    for (const [lines, worker] of this.#unreported) {
      this.#logger.warn('worker_log_left_out', { worker, lines: lines.leftOut });
      lines.leftOut = 0;
    }
    this.#unreported.clear();
  }
}
