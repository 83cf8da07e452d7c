import { type ErrorCode, LIMITS } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { Logger } from '../../logging/logger.js';
import { messageOf } from '../../structures/message-of.js';
import type { PlainRequest } from '../../transport/plain/plain-requests.js';
import type { Hub } from '../fanout/hub.js';
import { withoutPrefix } from '../session/upgrade-target.js';
import { type Answer, type AnswerTo, errorAnswer, failureAnswer, send, sendPreflight } from './answer.js';
import type { GroupPages } from './group-page.js';
import type { ReadAccess } from './read-access.js';
import { type ReadTarget, readReadTarget } from './read-target.js';

export interface HttpReadingDeps {
  readonly config: Pick<StreamConfig, 'pathPrefix' | 'allowedOrigins'>;
  readonly access: ReadAccess;
  readonly pages: GroupPages;
  readonly hub: Hub;
  /** Milliseconds without the store after which reads are refused. */
  readonly refuseMs: number;
  readonly logger: Logger;
}

type GroupTarget = Extract<ReadTarget, { kind: 'group' }>;

/**
 * Reads of streams by plain HTTP on the stream port (rules RV-50 to RV-55).
 *
 * Data flow: `handle` reads the path and the query. `ReadAccess` decides who may read. `GroupPages` reads the present state.
 */
export class HttpReading {
  readonly #deps: HttpReadingDeps;
  /** Bytes of the answers that clients have not taken yet. */
  #unsentBytes = 0;

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

  #answer(plain: PlainRequest, target: GroupTarget, to: AnswerTo): void {
    const failed = (error: unknown) => {
      const answer = failureAnswer(error);
      if (answer !== undefined) return this.#send(answer, to);
      this.#deps.logger.error('http_read_failed', { error: messageOf(error), address: plain.about.remoteAddress });
      this.#send(errorAnswer(503, 'INTERNAL_ERROR', 'the engine failed; its log says more'), to);
    };
    this.#read(plain, target).then((answer) => this.#send(answer, to), failed);
  }

  #send(answer: Answer, to: AnswerTo): void {
    const bytes = answer.body?.length ?? 0;
    this.#unsentBytes += bytes;
    to.response.once('close', () => (this.#unsentBytes -= bytes));
    send(answer, to);
  }

  async #read({ request, about, stopping }: PlainRequest, target: GroupTarget): Promise<Answer> {
    const { access, pages, hub, refuseMs } = this.#deps;
    if (stopping) return unavailable('ENGINE_STOPPING', 'the engine stops; read from another one, or try again later');
    if (this.#unsentBytes > LIMITS.readUnsentBytes)
      return unavailable('OVERLOADED', 'too many answers wait for clients that read slowly; try again later');
    if (hub.storeUnavailableMs > refuseMs) return unavailable('STORE_UNAVAILABLE', 'the store is unavailable; try again later');
    const decision = await access.decide(about, target);
    if (decision.kind === 'refused') return errorAnswer(decision.status, decision.code, decision.message);
    if (target.query.since !== undefined) return errorAnswer(400, 'INVALID_ARGUMENTS', 'since is not supported yet');
    return pages.read(target, target.query, request.headers['if-none-match']);
  }
}

function unavailable(code: ErrorCode, message: string): Answer {
  return errorAnswer(503, code, message);
}

/** Returns whether a request has a body. The engine does not read it, so the connection can't be used again. */
function hasBody({ request }: PlainRequest): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
  return coding !== undefined || length !== '0';
}
