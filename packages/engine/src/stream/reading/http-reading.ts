import { type ErrorCode, LIMITS } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { Expiring, ExpiryWatch } from '../../core/revocation/expiry-watch.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import { messageOf } from '../../structures/message-of.js';
import type { PlainRequest } from '../../transport/plain/plain-requests.js';
import { SendPace } from '../../transport/plain/send-pace.js';
import { UnsentBodies } from '../../transport/plain/unsent-bodies.js';
import type { Hub } from '../fanout/hub.js';
import { withoutPrefix } from '../session/upgrade-target.js';
import type { ChangeAnswer } from './changes/change-read.js';
import type { ChangeReads, OpenRead } from './changes/change-reads.js';
import type { EventQuery, EventStreams } from './events/event-streams.js';
import { type Answer, type AnswerTo, errorAnswer, failureAnswer, hasLeft, send, sendPreflight } from './requests/answer.js';
import type { GroupPages } from './requests/group-page.js';
import type { ReadAccess } from './requests/read-access.js';
import type { ReadFigures, ReadKind } from './requests/read-figures.js';
import { type ReadTarget, readReadTarget } from './requests/read-target.js';

export interface HttpReadingDeps {
  readonly config: Pick<StreamConfig, 'pathPrefix' | 'allowedOrigins'>;
  readonly access: ReadAccess;
  readonly pages: GroupPages;
  readonly changes: ChangeReads;
  readonly events: EventStreams;
  readonly figures: ReadFigures;
  readonly hub: Hub;
  readonly expiry: ExpiryWatch;
  /** Milliseconds without the store after which reads are refused. */
  readonly refuseMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

type GroupTarget = Extract<ReadTarget, { kind: 'group' }>;
type EventsTarget = Extract<ReadTarget, { kind: 'events' }>;

const BUSY = unavailable('OVERLOADED', 'too many answers wait for clients that read slowly; try again later');
/** Milliseconds after the end of an access in which a client may still take its answer. Nothing is delivered a second later. */
const EXPIRED_MS = 300;
/** Milliseconds that a stop waits for clients to take their answers. */
const STOP_MS = 1_000;

/**
 * Reads of streams by plain HTTP on the stream port (rules RV-50 to RV-55).
 *
 * Data flow: `handle` reads the path and the query. `ReadAccess` decides who may read. `GroupPages` reads the present state.
 */
export class HttpReading {
  readonly #deps: HttpReadingDeps;
  /** The answers that clients have not taken yet. */
  readonly #unsent: UnsentBodies;
  readonly #pace = new SendPace();
  /** Number of reads whose answer was not sent yet. */
  #open = 0;
  #allSent: (() => void) | undefined;

  constructor(deps: HttpReadingDeps) {
    this.#deps = deps;
    this.#unsent = new UnsentBodies(LIMITS.readUnsentBytes, deps.clock);
  }

  /** Yields the reads of changes that have not ended, for operators. */
  openReads(): Iterable<OpenRead> {
    return this.#deps.changes.open();
  }

  /** Answers a plain request. Returns false when its path or method is not for reading. */
  handle(plain: PlainRequest): boolean {
    const { request, response, about, isHostAllowed, stopping } = plain;
    const { config, access } = this.#deps;
    const { method } = request;
    // The handshake of a WebSocket whose `Upgrade` header a proxy has dropped.
    if (request.headers['sec-websocket-key'] !== undefined) return false;
    if (method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') return false;
    const target = readReadTarget(withoutPrefix(about.path, config.pathPrefix), about.rawQuery);
    if (target.kind === 'other') return false;
    const closes = stopping || hasBody(plain);
    const to: AnswerTo = { request, response, allowedOrigins: config.allowedOrigins, isPrivate: !access.isPublic(about), closes };
    if (!isHostAllowed)
      this.#send(
        errorAnswer(403, 'HOST_NOT_ALLOWED', 'this Host is not in allowed_hosts of the stream listener'),
        to,
        kindOf(plain, target),
      );
    else if (method === 'OPTIONS') sendPreflight(to);
    else if (target.kind === 'invalid') this.#send(errorAnswer(target.status, target.code, target.message), to, 'invalid');
    else this.#answer(plain, target, to);
    return true;
  }

  /** Ends the reads that wait, because the engine stops. Resolves when the answers were sent, or after `STOP_MS`. */
  async stop(): Promise<void> {
    this.#deps.events.stop();
    this.#deps.changes.stop();
    if (this.#open === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, STOP_MS);
      this.#allSent = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Decides again about every reader, because keys or grants of tokens were replaced. */
  forgetAllows(): void {
    this.#deps.access.forget();
  }

  /** Number of event streams that are open. */
  get eventStreams(): number {
    return this.#deps.events.size;
  }

  get figures(): ReadFigures {
    return this.#deps.figures;
  }

  #answer(plain: PlainRequest, target: GroupTarget | EventsTarget, to: AnswerTo): void {
    const kind = kindOf(plain, target);
    const failed = (error: unknown) => {
      const answer = failureAnswer(error);
      if (answer !== undefined) return this.#send(answer, to, kind);
      this.#deps.logger.error('http_read_failed', { error: messageOf(error), address: plain.about.remoteAddress });
      this.#send(errorAnswer(503, 'INTERNAL_ERROR', 'the engine failed; its log says more'), to, kind);
    };
    const query = eventQuery(plain, target);
    if (query === undefined) this.#count(to);
    const read = query === undefined ? this.#read(plain, target as GroupTarget, to) : this.#stream(plain, query, to);
    read.then((answer) => this.#send(answer, to, kind), failed);
  }

  /** Counts a read until its answer was sent. */
  #count(to: AnswerTo): void {
    this.#open++;
    to.response.once('close', () => {
      if (--this.#open === 0) this.#allSent?.();
    });
  }

  /** Opens an event stream. A client that can't be served now gets one that ends at once and says when to return. */
  async #stream(plain: PlainRequest, query: EventQuery, to: AnswerTo): Promise<ChangeAnswer> {
    const { events, hub, refuseMs } = this.#deps;
    if (!plain.stopping && hub.storeUnavailableMs <= refuseMs) return (await events.open(plain, query, to)) ?? 'streamed';
    events.later(to);
    return 'streamed';
  }

  #send(answer: ChangeAnswer, to: AnswerTo, kind: ReadKind): void {
    const { figures } = this.#deps;
    if (answer === 'streamed') {
      if (to.response.headersSent) figures.answered(kind, 200);
      return;
    }
    // A client that has left gets no answer.
    if (hasLeft(to)) return;
    const { body } = answer;
    // Bodies that wait for their turn need memory too.
    const sent = body === undefined || this.#unsent.take(body, to.response) ? answer : BUSY;
    figures.answered(kind, sent.status);
    this.#pace.run(sent.body?.length ?? 0, () => send(sent, to));
  }

  /** Drops the rest of an answer that its client has not taken when the access ends. A read that waits is answered before. */
  #endWith(expiresAtMs: number | undefined, { response }: AnswerTo): void {
    if (expiresAtMs === undefined) return;
    const { expiry } = this.#deps;
    const answer: Expiring = { expiring: () => true, expire: () => response.destroy() };
    expiry.set(answer, expiresAtMs + EXPIRED_MS);
    response.once('close', () => expiry.delete(answer));
  }

  async #read({ request, about, stopping }: PlainRequest, target: GroupTarget, to: AnswerTo): Promise<ChangeAnswer> {
    const { access, pages, changes, hub, refuseMs } = this.#deps;
    if (stopping) return unavailable('ENGINE_STOPPING', 'the engine stops; read from another one, or try again later');
    if (!this.#unsent.hasRoom(LIMITS.readPageBytes)) return BUSY;
    if (hub.storeUnavailableMs > refuseMs) return unavailable('STORE_UNAVAILABLE', 'the store is unavailable; try again later');
    const decision = await access.decide(about, target);
    if (decision.kind === 'refused') return errorAnswer(decision.status, decision.code, decision.message);
    if (hasLeft(to)) return 'streamed';
    this.#endWith(decision.expiresAtMs, to);
    const { since, waitS } = target.query;
    if (since === undefined) return pages.read(target, target.query, request.headers['if-none-match']);
    const hasPositions = pages.hasPositions(target);
    const wait = request.method === 'HEAD' ? 0 : waitS;
    const { remoteAddress, addressGroup } = about;
    return changes.read({ ref: target, since, waitS: wait, hasPositions, remoteAddress, addressGroup }, decision, to);
  }
}

function unavailable(code: ErrorCode, message: string): Answer {
  return errorAnswer(503, code, message);
}

/** Returns the groups and the last id of an event stream. Returns `undefined` when the request wants JSON. */
function eventQuery({ request }: PlainRequest, target: GroupTarget | EventsTarget): EventQuery | undefined {
  const last = request.headers['last-event-id'];
  const header = typeof last === 'string' && last !== '' ? last : undefined;
  if (target.kind === 'events') return { groups: target.groups, lastId: header ?? target.since, isList: true };
  if (request.headers.accept?.includes('text/event-stream') !== true) return undefined;
  return { groups: [target], lastId: header ?? target.query.sinceText, isList: false };
}

function kindOf(plain: PlainRequest, target: Exclude<ReadTarget, { kind: 'other' }>): ReadKind {
  if (target.kind === 'invalid') return 'invalid';
  if (eventQuery(plain, target) !== undefined) return 'events';
  return (target as GroupTarget).query.since === undefined ? 'snapshot' : 'changes';
}

/** Returns whether a request has a body. The engine does not read it, so the connection can't be used again. */
function hasBody({ request }: PlainRequest): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
  return coding !== undefined || length !== '0';
}
