import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { GroupFeed } from './group-feed.js';

/** Groups that are resumed at the same time. */
const GROUPS_AT_ONCE = 256;
/** Pause before the groups that failed are tried again, in milliseconds. */
const RETRY_MS = 500;

/**
 * Resumes unavailable groups when their server is back, a bounded number at a time. It tries a group again until that works, or until the
 * next `begin` or `stop`.
 */
export class GroupReconnector {
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  /** Counts the calls of `begin` and `stop`: work that began under an earlier number ends. */
  #generation = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Resumes the unavailable ones of these feeds, in place of those of the call before. */
  begin(feeds: Iterable<GroupFeed>): void {
    this.stop();
    const unavailable = Array.from(feeds).filter((feed) => feed.isUnavailable);
    if (unavailable.length > 0) this.#start(unavailable, this.#generation);
  }

  /** Resumes no further group. */
  stop(): void {
    this.#generation++;
    clearTimeout(this.#timer);
  }

  #start(feeds: GroupFeed[], generation: number): void {
    runInBackground(this.#run(feeds, generation), this.#logger, 'redis_groups_return');
  }

  async #run(feeds: GroupFeed[], generation: number): Promise<void> {
    const failed: GroupFeed[] = [];
    const next = () => (this.#generation === generation ? feeds.pop() : undefined);
    const resumeEach = async () => {
      for (let feed = next(); feed !== undefined; feed = next()) {
        try {
          await feed.resume();
        } catch (error) {
          this.#logger.debug('redis_check_failed', { ...feed.ref, error });
          failed.push(feed);
        }
      }
    };
    await Promise.all(Array.from({ length: GROUPS_AT_ONCE }, resumeEach));
    if (this.#generation !== generation || failed.length === 0) return;
    this.#timer = setTimeout(() => this.#start(failed, generation), RETRY_MS);
    this.#timer.unref();
  }
}
