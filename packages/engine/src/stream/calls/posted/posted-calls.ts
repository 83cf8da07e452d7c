import { randomUUID } from 'node:crypto';
import { type GroupPosition, LIMITS, type StreamCall, type StreamTarget } from '@rivulet/protocol';
import type { StreamConfig } from '../../../config/config.js';
import { JsonPayload } from '../../../core/fabric/invocation.js';
import type { Revocable, SessionDirectory } from '../../../core/revocation/session-directory.js';
import type { Logger } from '../../../logging/logger.js';
import { ByteBudget } from '../../../structures/byte-budget.js';
import type { Clock } from '../../../structures/clock.js';
import { messageOf } from '../../../structures/message-of.js';
import type { PlainRequest } from '../../../transport/plain/plain-requests.js';
import { UnsentBodies } from '../../../transport/plain/unsent-bodies.js';
import { type Answer, type AnswerTo, errorAnswer, hasLeft, send, sendPreflight } from '../../reading/requests/answer.js';
import { hasEnded, type ReadAccess, refusedBy } from '../../reading/requests/read-access.js';
import type { AuthDecision, AuthGate } from '../../session/auth-gate.js';
import { withoutPrefix } from '../../session/upgrade-target.js';
import type { CallOutcome } from '../call-ledger.js';
import type { LeavableCall, PageCalls } from '../page-calls.js';
import { readBody } from './body-reader.js';
import { failedAnswer, outcomeAnswer, refusalAnswer } from './call-answer.js';
import { functionOf, readCall, refuseBody } from './call-request.js';

export interface PostedCallsDeps {
  readonly config: Pick<StreamConfig, 'pathPrefix' | 'allowedOrigins' | 'maxMessageBytes' | 'exposeFunctions'>;
  readonly auth: AuthGate;
  readonly calls: PageCalls;
  /** Decides of which groups the caller may learn the position. */
  readonly access: ReadAccess;
  readonly directory: SessionDirectory;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bytes of the answers that clients have not taken yet. @default LIMITS.readUnsentBytes */
  readonly unsentBytes?: number;
}

/** Takes a call from the rates of an identity and an address. Returns false when they have none left. */
export type TakeCall = (identity: string | undefined, address: string) => boolean;

type Allowed = Extract<AuthDecision, { kind: 'allowed' }>;

/** Methods and headers that pages of other origins may send. */
const PREFLIGHT = { methods: 'POST', headers: 'authorization, content-type, idempotency-key' };
const REVOKED = refusalAnswer({ code: 'UNAUTHORIZED', message: 'the access has ended' });

/** The access of one request, from the auth answer until its own answer. */
class PostedSession implements Revocable {
  readonly identity: string | undefined;
  isRevoked = false;
  /** Ends the running call; `undefined` when none runs. */
  onRevoked: (() => void) | undefined;

  constructor(identity: string | undefined) {
    this.identity = identity;
  }

  revoke(): void {
    this.isRevoked = true;
    this.onRevoked?.();
  }
}

/**
 * Calls of functions by plain HTTP on the stream port (rule RV-64): `POST /call/{function}`.
 *
 * A request is decided before its body is read, as an upgrade is before its first frame. Then its call is one of a session that ends with
 * the answer.
 */
export class PostedCalls {
  readonly #deps: PostedCallsDeps;
  /** The memory for bodies that arrive. */
  readonly #room = new ByteBudget(LIMITS.postedBodyBytes);
  /** The answers that clients have not taken yet. */
  readonly #unsent: UnsentBodies;
  readonly #open = new Set<Promise<void>>();

  constructor(deps: PostedCallsDeps) {
    this.#deps = deps;
    this.#unsent = new UnsentBodies(deps.unsentBytes ?? LIMITS.readUnsentBytes, deps.clock);
  }

  /** Answers a plain request. Returns false when its path or method is not for a call. */
  handle(plain: PlainRequest, takeCall: TakeCall): boolean {
    const { request, response, about, isHostAllowed, stopping } = plain;
    const { pathPrefix, allowedOrigins } = this.#deps.config;
    const { method } = request;
    if (method !== 'POST' && method !== 'OPTIONS') return false;
    const functionId = functionOf(withoutPrefix(about.path, pathPrefix));
    if (functionId === undefined) return false;
    const to: AnswerTo = { request, response, allowedOrigins, isPrivate: true, closes: stopping };
    if (!isHostAllowed)
      send({ ...errorAnswer(403, 'HOST_NOT_ALLOWED', 'this Host is not in allowed_hosts of the stream listener'), closes: true }, to);
    else if (method === 'OPTIONS') sendPreflight(to, PREFLIGHT);
    else this.#begin(functionId, plain, to, takeCall);
    return true;
  }

  /** Resolves when the calls have their answers, or after `LIMITS.callDrainMs`. */
  async stop(): Promise<void> {
    if (this.#open.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, LIMITS.callDrainMs);
    });
    await Promise.race([Promise.all(this.#open), late]);
    clearTimeout(timer);
  }

  #begin(functionId: string, plain: PlainRequest, to: AnswerTo, takeCall: TakeCall): void {
    const call = this.#answer(functionId, plain, to, takeCall).then(
      (answer) => this.#send(answer, to),
      (error: unknown) => {
        const known = failedAnswer(error);
        if (known === undefined)
          this.#deps.logger.error('http_call_failed', { error: messageOf(error), address: plain.about.remoteAddress });
        this.#send(known ?? errorAnswer(503, 'INTERNAL_ERROR', 'the engine failed; its log says more'), to);
      },
    );
    this.#open.add(call);
    call.finally(() => this.#open.delete(call)).catch(() => {});
  }

  #send(answer: Answer<number> | 'left', to: AnswerTo): void {
    if (answer === 'left' || hasLeft(to)) return;
    const { body } = answer;
    const isTaken = body === undefined || this.#unsent.take(body, to.response);
    // The function may have run, so the code must not say that it did not (RV-61).
    const dropped = () =>
      refusalAnswer({ code: 'OUTCOME_UNKNOWN', message: 'too many results wait for clients that read slowly; read the data' });
    // The rest of a body that was not read can't be the next request.
    const closes = answer.closes === true || !to.request.complete;
    send({ ...(isTaken ? answer : dropped()), closes }, to);
  }

  async #answer(functionId: string, plain: PlainRequest, to: AnswerTo, takeCall: TakeCall): Promise<Answer<number> | 'left'> {
    const { request, about, stopping } = plain;
    const { auth, config, directory } = this.#deps;
    const { maxMessageBytes, exposeFunctions } = config;
    if (stopping) return refusalAnswer({ code: 'ENGINE_STOPPING', message: 'the engine is stopping and did nothing; call again' });
    if (exposeFunctions === undefined)
      return refusalAnswer({ code: 'FORBIDDEN', message: 'rivulet-stream has no expose_functions, so nothing can be called' });
    const refusal = refuseBody(request, maxMessageBytes);
    if (refusal !== undefined) return refusalAnswer(refusal);
    const { answer: decision, revoked } = await directory.ask(() => auth.decide(about));
    if (decision.kind === 'refused') return refusalAnswer(refusedBy(decision));
    if (revoked(decision.identity)) return REVOKED;
    if (!takeCall(decision.identity, about.remoteAddress))
      return refusalAnswer({ code: 'RATE_LIMITED', message: 'too many calls of this client in a short time; call again later' });
    // A disconnect counts from this turn on, also while the body arrives.
    const session = new PostedSession(decision.identity);
    directory.add(session);
    try {
      return await this.#read(functionId, plain, to, decision, session);
    } finally {
      directory.remove(session);
    }
  }

  /** Reads the body, and makes its call. */
  async #read(
    functionId: string,
    plain: PlainRequest,
    to: AnswerTo,
    decision: Allowed,
    session: PostedSession,
  ): Promise<Answer<number> | 'left'> {
    const { request, about } = plain;
    const body = await readBody(request, this.#deps.config.maxMessageBytes, this.#room);
    if (body === 'left') return 'left';
    if (body.kind === 'refused') return refusalAnswer(body);
    try {
      const read = readCall(functionId, body.text, about);
      if (read.kind === 'refused') return refusalAnswer(read);
      if (session.isRevoked || hasEnded(decision, this.#deps.clock)) return REVOKED;
      return await this.#call(read.call, decision, plain, to, session, body.text.length);
    } finally {
      body.give();
    }
  }

  async #call(
    message: StreamCall,
    decision: Allowed,
    plain: PlainRequest,
    to: AnswerTo,
    session: PostedSession,
    chars: number,
  ): Promise<Answer<number> | 'left'> {
    const { calls, clock } = this.#deps;
    if (hasLeft(to)) return 'left';
    const sessionId = randomUUID();
    const caller = calls.callerOf(sessionId, decision, plain.about.remoteAddress);
    const { functionId, data, idempotencyKey, repeatedAfterMs, confirm, timeoutMs, inexactNumbers } = message;
    const call = { functionId, payload: JsonPayload.ofValue(data), idempotencyKey, repeatedAfterMs, timeoutMs, inexactNumbers, chars };
    try {
      const outcome = await this.#run((done) => calls.run(call, caller, done), session, to);
      if (outcome === 'left') return 'left';
      if (outcome === 'revoked' || session.isRevoked || hasEnded(decision, clock)) return REVOKED;
      return outcomeAnswer(outcome, await this.#positions(confirm, plain));
    } finally {
      calls.forget(sessionId);
    }
  }

  /** Runs a call until it has an outcome, its client leaves, or an operator disconnects the identity. */
  #run(
    run: (done: (outcome: CallOutcome) => void) => LeavableCall,
    session: PostedSession,
    { response }: AnswerTo,
  ): Promise<CallOutcome | 'left' | 'revoked'> {
    return new Promise((resolve) => {
      let isOpen = true;
      const end = (result: CallOutcome | 'left' | 'revoked') => {
        if (!isOpen) return;
        isOpen = false;
        response.off('close', left);
        session.onRevoked = undefined;
        resolve(result);
      };
      const leave = (result: 'left' | 'revoked') => {
        end(result);
        running?.leave(result === 'revoked');
      };
      const left = () => leave('left');
      session.onRevoked = () => leave('revoked');
      let running: LeavableCall | undefined;
      response.once('close', left);
      running = run(end);
    });
  }

  /** Reads the positions of the groups that the caller may read. */
  async #positions(confirm: readonly StreamTarget[], { about }: PlainRequest): Promise<readonly (GroupPosition | undefined)[]> {
    if (confirm.length === 0) return [];
    const { access, calls } = this.#deps;
    const decisions = await Promise.all(
      confirm.map(({ streamName, groupId }) => access.decide(about, { stream: streamName, group: groupId, item: undefined })),
    );
    const readable = new Set(confirm.filter((_, at) => decisions[at]?.kind === 'allowed').map(nameOf));
    return calls.heads.read(confirm, ({ stream, group }) => readable.has(nameOf({ streamName: stream, groupId: group })));
  }
}

function nameOf({ streamName, groupId }: StreamTarget): string {
  return JSON.stringify([streamName, groupId]);
}
