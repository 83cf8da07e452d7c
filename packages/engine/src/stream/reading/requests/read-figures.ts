import type { CloseName } from '@rivulet/protocol';
import type { Answer } from './answer.js';

/** The part of the state that a request asks for. `invalid`: its path or query means nothing. */
export type ReadKind = 'snapshot' | 'changes' | 'events' | 'invalid';

/** The reason for which an event stream has ended. */
export type EventStreamEnd =
  /** The client has closed the connection, or it was lost. */
  | 'left'
  /** The client took none of the bytes that waited for it. */
  | 'stalled'
  | 'expired'
  | 'revoked'
  | 'refused'
  /** The engine stopped. */
  | 'restart'
  /** The client can't be served now. */
  | 'try_later'
  | 'failed';

const STATUSES = [200, 304, 400, 401, 403, 404, 503] as const satisfies readonly Answer['status'][];

type Statuses = Record<Answer['status'], number>;

/** Counts of the plain reads of one listener. All but `waiting` only grow. */
export class ReadFigures {
  /** Number of reads that have everything and wait for a change. */
  waiting = 0;
  /** Number of event streams that were opened. */
  eventStreamsOpened = 0;
  readonly eventStreamsEnded: Record<EventStreamEnd, number> = {
    left: 0,
    stalled: 0,
    expired: 0,
    revoked: 0,
    refused: 0,
    restart: 0,
    try_later: 0,
    failed: 0,
  };
  readonly #answers: Record<ReadKind, Statuses> = {
    snapshot: noAnswers(),
    changes: noAnswers(),
    events: noAnswers(),
    invalid: noAnswers(),
  };

  answered(kind: ReadKind, status: Answer['status']): void {
    this.#answers[kind][status]++;
  }

  /** Answers by kind and status. Pairs that can't occur are left out. */
  *answers(): Iterable<{ readonly kind: string; readonly status: string; readonly count: number }> {
    for (const [kind, statuses] of Object.entries(this.#answers))
      for (const status of STATUSES) if (canOccur(kind, status)) yield { kind, status: String(status), count: statuses[status] };
  }
}

/** Returns the reason of a stream that the engine has closed. */
export function endOf(name: CloseName): EventStreamEnd {
  if (name === 'expired' || name === 'revoked' || name === 'refused' || name === 'restart') return name;
  return name === 'tryLater' ? 'try_later' : 'failed';
}

function noAnswers(): Statuses {
  return { 200: 0, 304: 0, 400: 0, 401: 0, 403: 0, 404: 0, 503: 0 };
}

function canOccur(kind: string, status: Answer['status']): boolean {
  if (kind === 'invalid') return status === 400 || status === 404;
  return status === 304 ? kind === 'snapshot' : status !== 404;
}
