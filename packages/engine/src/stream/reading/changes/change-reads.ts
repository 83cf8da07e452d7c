import { LIMITS, type Since } from '@rivulet/protocol';
import type { Clock } from '../../../structures/clock.js';
import { AddressQueue } from '../../../transport/admission/address-queue.js';
import type { Hub } from '../../fanout/hub.js';
import type { SessionSocketDeps } from '../../session/session-socket.js';
import { type AnswerTo, errorAnswer, streamTo } from '../requests/answer.js';
import type { ReadAllowed } from '../requests/read-access.js';
import type { ReadFigures } from '../requests/read-figures.js';
import type { ReadRef } from '../requests/read-target.js';
import { type ChangeAnswer, ChangeRead } from './change-read.js';
import { SharedAnswers } from './shared-answers.js';

interface ChangeReadsDeps {
  readonly hub: Hub;
  readonly socket: SessionSocketDeps;
  readonly figures: ReadFigures;
  /** Measures waits and the end of an access. */
  readonly clock: Pick<Clock, 'now' | 'timers'>;
}

export interface ChangeQuery {
  readonly ref: ReadRef;
  readonly since: Since;
  readonly waitS: number;
  readonly hasPositions: boolean;
  readonly remoteAddress: string;
  /** The address of the client, or its /64 for IPv6. Reads of one address make room for those of others. */
  readonly addressGroup: string;
}

/** A read that has not ended, for operators. */
export interface OpenRead {
  readonly number: number;
  readonly identity: string | undefined;
  readonly read: ChangeRead;
}

/** The place of a read among those that have not ended. */
interface Place {
  read?: ChangeRead;
}

const STOPPING = errorAnswer(503, 'ENGINE_STOPPING', 'the engine stops; read from another one, or try again later');
const EXPIRED = errorAnswer(401, 'UNAUTHORIZED', 'the access has expired');
const CROWDED = errorAnswer(
  503,
  'OVERLOADED',
  `${LIMITS.longPolls} reads of changes are open, and this address has the most of them; try again later`,
);
const REVOKED = errorAnswer(401, 'UNAUTHORIZED', 'the access was revoked');

/** The reads of changes that have not ended, of one listener. */
export class ChangeReads {
  readonly #deps: ChangeReadsDeps;
  /** The reads with their identities. */
  readonly #open = new Map<ChangeRead, string | undefined>();
  readonly #places = new AddressQueue<Place>(LIMITS.longPolls);
  readonly #shared = new SharedAnswers();
  #isStopping = false;

  constructor(deps: ChangeReadsDeps) {
    this.#deps = deps;
  }

  /** Reads the changes since a position. Resolves when there is one, or when the time is over. */
  async read(query: ChangeQuery, { identity, expiresAtMs }: ReadAllowed, to: AnswerTo): Promise<ChangeAnswer> {
    if (this.#isStopping) return STOPPING;
    const place: Place = {};
    const crowded = this.#places.add(query.addressGroup, place);
    if (crowded === place) return CROWDED;
    crowded?.read?.refuse(CROWDED);
    const { hub, socket, figures, clock } = this.#deps;
    const { response } = to;
    const left = expiresAtMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, expiresAtMs - clock.now());
    const waitMs = Math.min(query.waitS * 1_000, left);
    const endOfWait = query.waitS * 1_000 > left ? EXPIRED : undefined;
    const read = new ChangeRead({ ...query, hub, socket, figures, shared: this.#shared, waitMs, endOfWait, stream: streamTo(to), clock });
    place.read = read;
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
      this.#places.delete(query.addressGroup, place);
    }
  }

  /** Yields the reads in the order of their begin. Reads may begin and end during the iteration. */
  *open(): IterableIterator<OpenRead> {
    for (const [read, identity] of this.#open) yield { number: read.number, identity, read };
  }

  /** Ends the reads of an identity whose access was revoked. */
  revoke(identity: string): void {
    for (const [read, of] of this.#open) if (of === identity) read.refuse(REVOKED);
  }

  /** Ends all reads, because the engine stops. */
  stop(): void {
    this.#isStopping = true;
    for (const read of this.#open.keys()) read.refuse(STOPPING);
  }
}
