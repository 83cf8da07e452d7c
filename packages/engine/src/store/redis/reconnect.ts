import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { GroupFeed } from './group-feed.js';

/** Groups that are brought back at the same time. */
const AT_ONCE = 256;
const RETRY_MS = 500;

/** Brings groups back when their server is: a bounded number at a time, each again until it worked or the server is lost again. */
export class GroupsReturn {
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  /** Counts beginnings and ends: what was begun before the last one is over. */
  #turn = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Those of `feeds` that are away, in the place of those before. */
  begin(feeds: Iterable<GroupFeed>): void {
    this.stop();
    const away = Array.from(feeds).filter((feed) => feed.away);
    if (away.length > 0) this.#start(away, this.#turn);
  }

  /** Nobody wants them any more. */
  stop(): void {
    this.#turn++;
    clearTimeout(this.#timer);
  }

  #start(away: GroupFeed[], turn: number): void {
    runInBackground(this.#run(away, turn), this.#logger, 'redis_groups_return');
  }

  async #run(away: GroupFeed[], turn: number): Promise<void> {
    const failed: GroupFeed[] = [];
    const next = () => (this.#turn === turn ? away.pop() : undefined);
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
    if (this.#turn !== turn || failed.length === 0) return;
    this.#timer = setTimeout(() => this.#start(failed, turn), RETRY_MS);
    this.#timer.unref();
  }
}
