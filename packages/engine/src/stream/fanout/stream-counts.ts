import { LIMITS } from '@rivulet/protocol';

/** Figures of one stream, or of all streams without a name of their own in the metrics. */
export interface StreamCounts {
  /** Subscriptions that are open now. */
  subscriptions: number;
  /** Subscriptions of `subscriptions` whose client is at the head of its group. */
  live: number;
  /** Memberships that clients have joined, and that they have left. */
  joins: number;
  leaves: number;
  /** Changes that entered a log. */
  appended: number;
  /** Subscriptions that flushes have visited: exactly those of the groups that changed (spec ST-21). */
  visited: number;
  /** Visits of a flush at which the client could not take the changes, so that it catches up later. */
  lagged: number;
  /** Bytes of the frames that flushes handed to live clients, once for each client. */
  bytes: number;
}

/** Name under which all streams count that the configuration does not name. */
const OTHER_STREAMS = '_other';

export function newStreamCounts(): StreamCounts {
  return { subscriptions: 0, live: 0, joins: 0, leaves: 0, appended: 0, visited: 0, lagged: 0, bytes: 0 };
}

/**
 * The figures of each stream that the configuration names, at most `LIMITS.namedStreams`, and of all other streams together. So clients
 * and workers, who choose names of streams, add no figures.
 */
export class CountsByStream {
  readonly #named = new Map<string, StreamCounts>();
  readonly #other = newStreamCounts();

  constructor(named: Iterable<string> = []) {
    for (const stream of named) {
      if (this.#named.size >= LIMITS.namedStreams) break;
      if (stream !== OTHER_STREAMS) this.#named.set(stream, newStreamCounts());
    }
  }

  /** Returns the figures in which a stream counts. */
  of(stream: string): StreamCounts {
    return this.#named.get(stream) ?? this.#other;
  }

  /** Returns one figure of all streams together. */
  sum(figure: keyof StreamCounts): number {
    let sum = this.#other[figure];
    for (const counts of this.#named.values()) sum += counts[figure];
    return sum;
  }

  /** Returns the figures with their names; those of the other streams come last. */
  entries(): readonly (readonly [stream: string, counts: StreamCounts])[] {
    return [...this.#named, [OTHER_STREAMS, this.#other]];
  }
}
