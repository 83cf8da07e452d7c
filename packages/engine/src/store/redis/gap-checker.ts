import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { GroupFeed } from './group-feed.js';

/** So many with each step, in so many milliseconds at least: 2,560 a second. */
const AT_ONCE = 256;
const PACE_MS = 100;

/** Compares groups with the server, a bounded number at a time: with many the answers would come too late for everybody. */
export class FeedChecks {
  readonly #logger: Logger;
  #atLeisure = false;
  #stopped = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  now(feeds: readonly GroupFeed[]): void {
    runInBackground(this.#run(feeds, 0), this.#logger, 'redis_checks');
  }

  /** At a pace that leaves the server to others; passed over while the last time still goes on. */
  atLeisure(feeds: readonly GroupFeed[]): void {
    if (this.#atLeisure) return;
    this.#atLeisure = true;
    const ended = () => {
      this.#atLeisure = false;
    };
    runInBackground(this.#run(feeds, PACE_MS).finally(ended), this.#logger, 'redis_checks');
  }

  stop(): void {
    this.#stopped = true;
  }

  async #run(feeds: readonly GroupFeed[], paceMs: number): Promise<void> {
    for (let at = 0; at < feeds.length && !this.#stopped; at += AT_ONCE) {
      const checks = feeds
        .slice(at, at + AT_ONCE)
        .map((feed) => feed.check().catch((error: unknown) => this.#logger.debug('redis_check_failed', { ...feed.ref, error })));
      const pace = paceMs === 0 ? [] : [new Promise((resolve) => setTimeout(resolve, paceMs).unref())];
      await Promise.all([...checks, ...pace]);
    }
  }
}
