/** The rule by which the socket of a channel counts as dead. */
export interface ChannelLiveness {
  /** The milliseconds between two checks. Each check sends a ping. */
  readonly everyMs: number;
  /**
   * The milliseconds without a byte of the engine after which the socket is dead. Time in which the engine may be silent does not count.
   * The watch notices it up to twice `everyMs` later. A check that comes late counts as twice `everyMs` at most, because bytes may lie
   * unread in the kernel after a blocked event loop.
   */
  readonly silentMs: number;
}

export const CHANNEL_LIVENESS: ChannelLiveness = { everyMs: 20_000, silentMs: 60_000 };

/** The members of a socket that the watch needs. */
export interface Watched {
  /**
   * The received bytes. Bytes of an incomplete message count too, because one message may take longer than `silentMs` on a slow network.
   */
  readonly received: number;
  /** Whether the engine may be silent now: this end does not read its socket, or the engine does not read because the channel is full. */
  readonly resting: boolean;
  ping(): void;
  drop(reason: string): void;
}

/** Watches a socket and drops it when it is dead. Returns a function that ends the watch. */
export function watch(socket: Watched, { everyMs, silentMs }: ChannelLiveness): () => void {
  let received = socket.received;
  let rested = false;
  let silentFor = 0;
  let lookedAt = performance.now();
  let timer: ReturnType<typeof setTimeout>;
  const look = () => {
    const now = performance.now();
    const { resting } = socket;
    // After a rest, the silence begins at the first check after it.
    const isQuiet = !resting && !rested && socket.received === received;
    silentFor = isQuiet ? silentFor + Math.min(now - lookedAt, 2 * everyMs) : 0;
    lookedAt = now;
    rested = resting;
    received = socket.received;
    if (silentFor >= silentMs) return socket.drop(`nothing came for ${silentMs} ms`);
    socket.ping();
    timer = setTimeout(look, everyMs);
  };
  timer = setTimeout(look, everyMs);
  return () => clearTimeout(timer);
}
