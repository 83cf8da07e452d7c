import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { GroupFeed } from './group-feed.js';

/** Feeds that are checked at the same time. */
const FEEDS_AT_ONCE = 256;
/** Shortest time between two such steps of a slow check, in milliseconds. Together: at most 2,560 feeds a second. */
const PACE_MS = 100;

/** Compares feeds with the server, a bounded number at a time, so that other commands are not held up. */
export class GapChecker {
  readonly #logger: Logger;
  #isCheckingSlowly = false;
  #isStopped = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Checks the feeds as fast as the server answers. */
  checkNow(feeds: readonly GroupFeed[]): void {
    runInBackground(this.#check(feeds, 0), this.#logger, 'redis_checks');
  }

  /** Checks the feeds at the pace of PACE_MS. Does nothing while the slow check before is still running. */
  checkSlowly(feeds: readonly GroupFeed[]): void {
    if (this.#isCheckingSlowly) return;
    this.#isCheckingSlowly = true;
    const end = () => {
      this.#isCheckingSlowly = false;
    };
    runInBackground(this.#check(feeds, PACE_MS).finally(end), this.#logger, 'redis_checks');
  }

  /** Begins no further checks. */
  stop(): void {
    this.#isStopped = true;
  }

  async #check(feeds: readonly GroupFeed[], paceMs: number): Promise<void> {
    for (let at = 0; at < feeds.length && !this.#isStopped; at += FEEDS_AT_ONCE) {
      const checks = feeds
        .slice(at, at + FEEDS_AT_ONCE)
        .map((feed) => feed.check().catch((error: unknown) => this.#logger.debug('redis_check_failed', { ...feed.ref, error })));
      const pace = paceMs === 0 ? [] : [new Promise((resolve) => setTimeout(resolve, paceMs).unref())];
      await Promise.all([...checks, ...pace]);
    }
  }
}
