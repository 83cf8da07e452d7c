import type { Clock } from './clock.js';

/** What a keep-alive policy may do to an open connection. */
export interface Link {
  readonly clock: Clock;
  /** Sends a WebSocket ping where the runtime can. */
  ping(): void;
  /** The peer counts as dead: the connection is ended and opened again. */
  drop(reason: string): void;
}

export interface KeepAliveRun {
  /** Anything came from the peer. */
  heard(): void;
  stop(): void;
}

/** Started for each connection that opens, stopped when it closes. */
export type KeepAlive = (link: Link) => KeepAliveRun;

/** Pings every `everyMs`, and drops a connection on which nothing came for `silentMs`. For sockets that can ping. */
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
