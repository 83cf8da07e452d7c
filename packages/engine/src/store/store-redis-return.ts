import type { Logger } from '../logging/logger.js';
import type { GroupFeed } from './store-redis-feed.js';

/** Groups that are brought back at the same time. */
const AT_ONCE = 256;
const RETRY_MS = 500;

/** Brings groups back when their server is: a bounded number at a time, each again until it worked or the server is lost again. */
export class GroupsReturn {
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  /** Counts losses: what was begun before the last one is over. */
  #losses = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Those of `feeds` that are away. */
  begin(feeds: Iterable<GroupFeed>): void {
    clearTimeout(this.#timer);
    const away = Array.from(feeds).filter((feed) => feed.away);
    if (away.length > 0) void this.#run(away, this.#losses);
  }

  /** The server is lost again, or nobody wants them any more. */
  stop(): void {
    this.#losses++;
    clearTimeout(this.#timer);
  }

  async #run(away: GroupFeed[], losses: number): Promise<void> {
    const failed: GroupFeed[] = [];
    const next = () => (this.#losses === losses ? away.pop() : undefined);
    const work = async () => {
      for (let feed = next(); feed !== undefined; feed = next()) {
        try {
          await feed.resume();
        } catch (error) {
          this.#logger.debug('redis_check_failed', { ...feed.ref, error });
          failed.push(feed);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (this.#losses !== losses || failed.length === 0) return;
    this.#timer = setTimeout(() => void this.#run(failed, losses), RETRY_MS);
    this.#timer.unref();
  }
}
