import { LIMITS, type Since } from '@rivulet/protocol';
import type { Hub } from '../fanout/hub.js';
import type { SessionSocketDeps } from '../session/session-socket.js';
import { type Answer, type AnswerTo, errorAnswer, streamTo } from './answer.js';
import { type ChangeAnswer, ChangeRead } from './change-read.js';
import type { ReadAllowed } from './read-access.js';
import type { ReadRef } from './read-target.js';
import { SharedAnswers } from './shared-answers.js';

interface ChangeReadsDeps {
  readonly hub: Hub;
  readonly socket: SessionSocketDeps;
  /** Unix milliseconds, as access times are. */
  readonly now: () => number;
}

export interface ChangeQuery {
  readonly ref: ReadRef;
  readonly since: Since;
  readonly waitS: number;
  readonly hasPositions: boolean;
  readonly remoteAddress: string;
}

const STOPPING = errorAnswer(503, 'ENGINE_STOPPING', 'the engine stops; read from another one, or try again later');
const REVOKED = errorAnswer(401, 'UNAUTHORIZED', 'the access was revoked');

/** The reads of changes that have not ended, of one listener. */
export class ChangeReads {
  readonly #deps: ChangeReadsDeps;
  readonly #open = new Map<ChangeRead, string | undefined>();
  readonly #shared = new SharedAnswers();

  constructor(deps: ChangeReadsDeps) {
    this.#deps = deps;
  }

  /** Number of reads that have everything and wait for a change. */
  get waiting(): number {
    let waiting = 0;
    for (const read of this.#open.keys()) if (read.isWaiting) waiting++;
    return waiting;
  }

  /** Reads the changes since a position. Resolves when there is one, or when the time is over. */
  async read(query: ChangeQuery, { identity, expiresAtMs }: ReadAllowed, to: AnswerTo): Promise<ChangeAnswer> {
    if (this.#open.size >= LIMITS.longPolls) return tooMany();
    const { hub, socket, now } = this.#deps;
    const { response } = to;
    const left = expiresAtMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, expiresAtMs - now());
    const waitMs = Math.min(query.waitS * 1_000, left);
    const read = new ChangeRead({ ...query, hub, socket, shared: this.#shared, waitMs, stream: streamTo(to) });
    this.#open.set(read, identity);
    const leave = () => read.leave();
    const drained = () => read.drained();
    response.once('close', leave);
    response.on('drain', drained);
    try {
      return await read.answer;
    } finally {
      response.off('close', leave);
      response.off('drain', drained);
      this.#open.delete(read);
    }
  }

  /** Ends the reads of an identity whose access was revoked. */
  revoke(identity: string): void {
    for (const [read, of] of this.#open) if (of === identity) read.refuse(REVOKED);
  }

  /** Ends all reads, because the engine stops. */
  stop(): void {
    for (const read of this.#open.keys()) read.refuse(STOPPING);
  }
}

function tooMany(): Answer {
  return errorAnswer(503, 'OVERLOADED', `more than ${LIMITS.longPolls} reads wait for changes; try again later`);
}
