/** When the socket of a channel counts as dead. */
export interface ChannelLiveness {
  /** Milliseconds between two looks, each with a ping. */
  readonly everyMs: number;
  /** Milliseconds without a byte of the engine, while it had no reason to be silent; noticed up to twice `everyMs` later. */
  readonly silentMs: number;
}

export const CHANNEL_LIVENESS: ChannelLiveness = { everyMs: 20_000, silentMs: 60_000 };

/** What the watch needs of a socket. */
export interface Watched {
  /** Bytes that have come, also of a message that is not whole yet: over a slow network one takes longer than the silence allowed. */
  readonly received: number;
  /** Silence means nothing now: the socket is not read, or the engine reads nothing before the channel has room. */
  readonly resting: boolean;
  ping(): void;
  drop(reason: string): void;
}

/** Drops a socket that stays silent. Answers what ends the watch. */
export function watch(socket: Watched, { everyMs, silentMs }: ChannelLiveness): () => void {
  let received = socket.received;
  let rested = false;
  let heardAt = performance.now();
  let timer: ReturnType<typeof setTimeout>;
  const look = () => {
    const now = performance.now();
    const { resting } = socket;
    // After a rest the silence begins when it is first seen to be over.
    if (resting || rested || socket.received !== received) heardAt = now;
    rested = resting;
    received = socket.received;
    if (now - heardAt >= silentMs) return socket.drop(`nothing came for ${silentMs} ms`);
    socket.ping();
    timer = setTimeout(look, everyMs);
  };
  timer = setTimeout(look, everyMs);
  return () => clearTimeout(timer);
}
