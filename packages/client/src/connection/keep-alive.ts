import type { Clock } from './clock.js';

/** The open connection that a keep-alive policy watches. */
export interface Link {
  readonly clock: Clock;
  /** Sends a WebSocket ping. Without support of the runtime it does nothing. */
  ping(): void;
  /** Ends the connection, because the peer counts as dead. The client then connects again. */
  drop(reason: string): void;
}

export interface KeepAliveRun {
  /** Records a sign of life of the peer. */
  heard(): void;
  stop(): void;
}

/** Starts a keep-alive policy for a connection that has opened. The connection stops it when it closes. */
export type KeepAlive = (link: Link) => KeepAliveRun;

/**
 * Returns a policy for sockets that can ping. It sends a ping every `everyMs` milliseconds, and drops a connection on which nothing came
 * for `silentMs` milliseconds.
 */
export function pingKeepAlive({ everyMs, silentMs }: { readonly everyMs: number; readonly silentMs: number }): KeepAlive {
  return (link) => {
    let heardAt = link.clock.now();
    let timer: unknown;
    const tick = () => {
      if (link.clock.now() - heardAt >= silentMs) {
        link.drop(`nothing came for ${silentMs} ms`);
        return;
      }
      link.ping();
      timer = link.clock.setTimer(tick, everyMs);
    };
    timer = link.clock.setTimer(tick, everyMs);
    return {
      heard: () => {
        heardAt = link.clock.now();
      },
      stop: () => link.clock.clearTimer(timer),
    };
  };
}
