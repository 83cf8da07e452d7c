/** The socket of a session as the hub sees it: it takes frames, and it may be full. */
export interface Subscriber {
  /** Number of the session in this process. @default no session */
  readonly number?: number | undefined;
  /** Sends whole frames. The buffer may be shared and must not change. */
  write(frames: Buffer): void;
  /** Whether the hub may write: the socket is below its watermark, and no message of several fragments holds it. */
  readonly ready: boolean;
  readonly open: boolean;
  /** The client is position-aware: it may get control frames, and a large `sync` in parts. */
  readonly positions: boolean;
  /** Resolves when `ready` or `hasRoom` may have become true, or when the session closed. The caller must read them again. */
  whenChanged(): Promise<void>;
  /** The socket is below its watermark. The holder of the lock reads this between two fragments. */
  readonly hasRoom: boolean;
  /**
   * Locks the socket for one message of several fragments: `ready` is false for everyone until `unlock`. Returns false, and locks
   * nothing, while the socket is not `ready`. Check and lock are one step, since another pump of the same socket may run between two steps.
   */
  tryLock(): boolean;
  /** Ends the lock. Only its holder may call it. */
  unlock(): void;
  /** Closes the connection, because an answer that was begun can't be ended. `tryLater`: the reader takes nothing. */
  fail(because: 'internal' | 'tryLater'): void;
}
