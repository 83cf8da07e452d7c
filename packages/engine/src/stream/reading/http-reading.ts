import { type ErrorCode, LIMITS } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { Logger } from '../../logging/logger.js';
import { messageOf } from '../../structures/message-of.js';
import type { PlainRequest } from '../../transport/plain/plain-requests.js';
import type { Hub } from '../fanout/hub.js';
import { withoutPrefix } from '../session/upgrade-target.js';
import { type Answer, type AnswerTo, errorAnswer, failureAnswer, send, sendPreflight } from './answer.js';
import type { ChangeAnswer } from './change-read.js';
import type { ChangeReads } from './change-reads.js';
import type { EventQuery, EventStreams } from './event-streams.js';
import type { GroupPages } from './group-page.js';
import type { ReadAccess } from './read-access.js';
import { type ReadTarget, readReadTarget } from './read-target.js';

export interface HttpReadingDeps {
  readonly config: Pick<StreamConfig, 'pathPrefix' | 'allowedOrigins'>;
  readonly access: ReadAccess;
  readonly pages: GroupPages;
  readonly changes: ChangeReads;
  readonly events: EventStreams;
  readonly hub: Hub;
  /** Milliseconds without the store after which reads are refused. */
  readonly refuseMs: number;
  readonly logger: Logger;
}

type GroupTarget = Extract<ReadTarget, { kind: 'group' }>;
type EventsTarget = Extract<ReadTarget, { kind: 'events' }>;

/** Milliseconds that a stop waits for clients to take their answers. */
const STOP_MS = 1_000;

/**
 * Reads of streams by plain HTTP on the stream port (rules RV-50 to RV-55).
 *
 * Data flow: `handle` reads the path and the query. `ReadAccess` decides who may read. `GroupPages` reads the present state.
 */
export class HttpReading {
  readonly #deps: HttpReadingDeps;
  /** Bytes of the answers that clients have not taken yet. */
  #unsentBytes = 0;
  /** Number of reads whose answer was not sent yet. */
  #open = 0;
  #allSent: (() => void) | undefined;

  constructor(deps: HttpReadingDeps) {
    this.#deps = deps;
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
    if (!isHostAllowed) send(errorAnswer(403, 'HOST_NOT_ALLOWED', 'this Host is not in allowed_hosts of the stream listener'), to);
    else if (method === 'OPTIONS') sendPreflight(to);
    else if (target.kind === 'invalid') send(errorAnswer(target.status, target.code, target.message), to);
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

  /** Number of event streams that are open. */
  get eventStreams(): number {
    return this.#deps.events.size;
  }

  /** Number of reads that wait for a change. */
  get waiting(): number {
    return this.#deps.changes.waiting;
  }

  #answer(plain: PlainRequest, target: GroupTarget | EventsTarget, to: AnswerTo): void {
    const failed = (error: unknown) => {
      const answer = failureAnswer(error);
      if (answer !== undefined) return this.#send(answer, to);
      this.#deps.logger.error('http_read_failed', { error: messageOf(error), address: plain.about.remoteAddress });
      this.#send(errorAnswer(503, 'INTERNAL_ERROR', 'the engine failed; its log says more'), to);
    };
    const query = eventQuery(plain, target);
    if (query === undefined) this.#count(to);
    const read = query === undefined ? this.#read(plain, target as GroupTarget, to) : this.#stream(plain, query, to);
    read.then((answer) => this.#send(answer, to), failed);
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

  #send(answer: ChangeAnswer, to: AnswerTo): void {
    if (answer === 'streamed') return;
    const bytes = answer.body?.length ?? 0;
    this.#unsentBytes += bytes;
    to.response.once('close', () => {
      this.#unsentBytes -= bytes;
    });
    send(answer, to);
  }

  async #read({ request, about, stopping }: PlainRequest, target: GroupTarget, to: AnswerTo): Promise<ChangeAnswer> {
    const { access, pages, changes, hub, refuseMs } = this.#deps;
    if (stopping) return unavailable('ENGINE_STOPPING', 'the engine stops; read from another one, or try again later');
    if (this.#unsentBytes > LIMITS.readUnsentBytes)
      return unavailable('OVERLOADED', 'too many answers wait for clients that read slowly; try again later');
    if (hub.storeUnavailableMs > refuseMs) return unavailable('STORE_UNAVAILABLE', 'the store is unavailable; try again later');
    const decision = await access.decide(about, target);
    if (decision.kind === 'refused') return errorAnswer(decision.status, decision.code, decision.message);
    const { since, waitS } = target.query;
    if (since === undefined) return pages.read(target, target.query, request.headers['if-none-match']);
    const hasPositions = pages.hasPositions(target);
    const wait = request.method === 'HEAD' ? 0 : waitS;
    return changes.read({ ref: target, since, waitS: wait, hasPositions, remoteAddress: about.remoteAddress }, decision, to);
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

/** Returns whether a request has a body. The engine does not read it, so the connection can't be used again. */
function hasBody({ request }: PlainRequest): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
  return coding !== undefined || length !== '0';
}
