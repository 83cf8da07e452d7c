import { type GroupPosition, LIMITS, type StreamTarget } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { GroupRef, StreamStore } from '../../store/store.js';

/** The store as the confirmation of calls reads it. */
export interface HeadStore extends Pick<StreamStore, 'get'> {
  /** Returns whether the engine's own store answers this operation for a stream. */
  keeps(operation: 'get' | 'list', stream: string): boolean;
}

/** Reads the newest positions of groups, after a function has answered (rule RV-62). */
export class GroupHeads {
  readonly #store: HeadStore;
  readonly #logger: Logger;

  constructor(store: HeadStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** Returns the position of each group. `undefined` stands for a group that `mayRead` excludes, and for a position that nobody knows. */
  read(groups: readonly StreamTarget[], mayRead: (ref: GroupRef) => boolean): Promise<readonly (GroupPosition | undefined)[]> {
    return Promise.all(
      groups.map(async (group) => {
        const ref = { stream: group.streamName, group: group.groupId };
        return mayRead(ref) && this.#hasPositions(ref.stream) ? this.#readWithin(group, ref) : undefined;
      }),
    );
  }

  /** Returns whether the stream has positions. A stream that a worker stores has none. */
  #hasPositions(stream: string): boolean {
    return this.#store.keeps('get', stream) && this.#store.keeps('list', stream);
  }

  /** Reads one position. After `callPositionsMs` the answer of the call goes out without it. */
  #readWithin(group: StreamTarget, ref: GroupRef): Promise<GroupPosition | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#give(resolve, ref, 'timeout'), LIMITS.callPositionsMs);
      // No item has an empty id, so the store reads only the position.
      this.#store.get(ref, '').then(
        ({ position }) => {
          clearTimeout(timer);
          resolve({ ...group, ...position });
        },
        (error: unknown) => {
          clearTimeout(timer);
          this.#give(resolve, ref, error);
        },
      );
    });
  }

  #give(resolve: (position: undefined) => void, { stream, group }: GroupRef, error: unknown): void {
    this.#logger.debug('call_position_unknown', { stream, group, error });
    resolve(undefined);
  }
}
