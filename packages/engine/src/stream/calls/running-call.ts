import { createHash } from 'node:crypto';
import { LIMITS, RivuletError } from '@rivulet/protocol';
import type { PendingCall } from '../../core/fabric/fabric.js';
import type { FunctionFabric } from '../../core/fabric/function-fabric.js';
import { type Call, JsonPayload, type Outcome } from '../../core/fabric/invocation.js';
import { publicError } from '../../core/fabric/public-error.js';
import { middlewareCall } from '../../core/workers/middleware-call.js';
import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import { type ClockTimer, type ClockTimers, timersOf } from '../../structures/clock.js';
import type { CallEnd, PageCallCounts } from './call-counts.js';
import type { CallLedger, CallOutcome, LedgerEntry, LedgerRun } from './call-ledger.js';
import { afterRun, failed, forbidden, isIdempotent, NOT_RUN, notStarted } from './call-outcomes.js';
import type { FunctionWaits } from './function-waits.js';
import type { PageCaller } from './page-caller.js';
import type { StartOrder, StartTurn } from './start-order.js';

/** A call of a stream client, or of a plain request. */
export interface PageCall {
  readonly functionId: string;
  readonly payload: JsonPayload;
  readonly idempotencyKey: string | undefined;
  readonly repeatedAfterMs: number | undefined;
  /** Milliseconds that the caller waits; `undefined`: as long as the engine allows. */
  readonly timeoutMs: number | undefined;
  readonly inexactNumbers: boolean;
  /** Text length of the frame or the body. */
  readonly chars: number;
  /** The order of the session. @default the call starts as soon as it can */
  readonly order?: StartOrder;
}

export interface RunningCallDeps {
  readonly fabric: FunctionFabric;
  /** Absent where nothing remembers calls. Then a call with a key runs as often as it comes. */
  readonly ledger: CallLedger | undefined;
  /** Function that gets the calls in place of their targets; `undefined`: none. */
  readonly middleware: string | undefined;
  /** Milliseconds that a function may take. */
  readonly timeoutMs: number;
  readonly waits: FunctionWaits;
  readonly counts: PageCallCounts;
  readonly logger: Logger;
}

/**
 * One call from the moment at which it is allowed: ledger, middleware or function, time-outs, outcome.
 *
 * The caller may leave before the outcome is known. A call without a key then ends. A call with a key goes on, because a repeat on another
 * connection gets its outcome.
 */
export class RunningCall {
  readonly #deps: RunningCallDeps;
  readonly #call: Omit<PageCall, 'payload'>;
  /** The input; `undefined` once the function has it, because a call may run for long. */
  #payload: JsonPayload | undefined;
  readonly #caller: PageCaller;
  /** Runs once, when the engine has forgotten the call. */
  readonly #ended: () => void;
  readonly #since = performance.now();
  /** Takes the outcome; `undefined` when the caller has it, or has left. */
  #done: ((outcome: CallOutcome) => void) | undefined;
  #pending: PendingCall | undefined;
  /** Whether the caller may call the function as it is registered now. Read again after each time in which that may have changed. */
  #isAllowed: boolean;
  /** Whether the call waits for a worker, and ends without one. */
  #waits = false;
  #run: LedgerRun | undefined;
  /** The place of the call among those of its session. */
  #turn: StartTurn | undefined;
  readonly #timers: ClockTimers;
  #answerTimer: ClockTimer | undefined;
  readonly #endTimer: ClockTimer;
  #dispatched = false;
  /** Whether an earlier sending of the call may have run. */
  #isRepeat: boolean;
  #open = true;
  /** Requests to the ledger for this call that have no answer yet. */
  #inLedger = 0;

  constructor(deps: RunningCallDeps, call: PageCall, caller: PageCaller, done: (outcome: CallOutcome) => void, ended: () => void) {
    this.#deps = deps;
    const { payload, ...rest } = call;
    this.#payload = payload;
    this.#call = rest;
    this.#caller = caller;
    this.#done = done;
    this.#ended = ended;
    this.#isRepeat = rest.repeatedAfterMs !== undefined;
    this.#isAllowed = caller.access.mayCall(rest.functionId);
    const { timeoutMs = deps.timeoutMs, idempotencyKey } = rest;
    const waitMs = Math.min(timeoutMs, deps.timeoutMs);
    this.#timers = timersOf(deps.fabric.clock);
    // A repeat may want the outcome after the caller's own time.
    this.#endTimer = this.#timers.once(idempotencyKey === undefined ? waitMs : deps.timeoutMs, () => this.#timeUp());
    if (idempotencyKey !== undefined && waitMs < deps.timeoutMs)
      this.#answerTimer = this.#timers.once(waitMs, () => (this.#waits ? this.#notFound() : this.#answer(this.#timeout(), 'timeout')));
  }

  /** Starts the call. The outcome may come before this returns. */
  begin(): void {
    const enter = () => this.#enter();
    // Only the worker says whether the function may run twice. Without it, the ledger decides about a repeat as if it may not.
    const isServed = this.#whenServed(enter, this.#call.repeatedAfterMs === undefined ? undefined : enter);
    if (!isServed && this.#isAllowed) this.#findOutcome();
  }

  /** Looks for the outcome of an earlier sending, while the call waits for a worker. */
  #findOutcome(): void {
    const { ledger, logger, counts } = this.#deps;
    const { idempotencyKey: key, functionId } = this.#call;
    if (key === undefined || ledger === undefined) return;
    const { identity, address } = this.#caller;
    this.#inLedger++;
    ledger.findOutcome({ identity, address, functionId, key }).then(
      (outcome) => {
        if (outcome !== undefined && this.#open) {
          counts.replayed++;
          this.#end(afterRun(outcome), outcome.kind);
        }
        this.#leftLedger();
      },
      (error: unknown) => {
        // The call asks again when its wait is over.
        logger.debug('call_outcome_unread', { function: functionId, error });
        this.#leftLedger();
      },
    );
  }

  #enter(): void {
    const { idempotencyKey: key, functionId, repeatedAfterMs, order } = this.#call;
    const { ledger, fabric } = this.#deps;
    this.#turn = order?.take();
    if (key === undefined || ledger === undefined) return this.#dispatchInTurn();
    const idempotent = isIdempotent(fabric.functions.find(functionId)?.metadata);
    const { identity, address } = this.#caller;
    this.#inLedger++;
    const onWait = () => {
      this.#isRepeat = true;
      this.#turn?.leave();
    };
    ledger.begin({ identity, address, functionId, key, repeatedAfterMs, idempotent }, onWait).then(
      (entry) => {
        this.#begun(entry);
        this.#leftLedger();
      },
      (error: unknown) => {
        this.#end(this.#failed(error), 'refused');
        this.#leftLedger();
      },
    );
  }

  /**
   * Ends the wait of the caller, because its session has ended. `isRevoked`: its access has ended too, so a function that was not called
   * yet is not called.
   */
  leave(isRevoked: boolean): void {
    this.#done = undefined;
    this.#timers.cancel(this.#answerTimer);
    if (this.#call.idempotencyKey === undefined || (isRevoked && !this.#dispatched)) {
      if (!this.#dispatched) this.#forget();
      this.#close();
    }
  }

  #begun(entry: LedgerEntry): void {
    // The time was over, or the access was, while the ledger stored the entry.
    if (!this.#open) return entry.kind === 'run' ? this.#store(entry.run.release()) : undefined;
    switch (entry.kind) {
      case 'run':
        this.#run = entry.run;
        this.#isAllowed = this.#mayCall();
        return this.#dispatchInTurn();
      case 'done':
        this.#deps.counts.replayed++;
        return this.#end(afterRun(entry.outcome), entry.outcome.kind);
      case 'unknown':
        return this.#end(this.#unknown(entry.message), 'unknown');
      default:
        return entry satisfies never;
    }
  }

  #dispatchInTurn(): void {
    if (this.#turn === undefined) this.#dispatch();
    else this.#turn.start(() => this.#open && this.#dispatch());
  }

  #dispatch(): void {
    this.#whenServed(() => {
      this.#dispatched = true;
      const pending = this.#deps.fabric.invoke(this.#request(), (outcome) => this.#settled(outcome));
      if (this.#open) this.#pending = pending;
    });
  }

  /**
   * Runs `then` when a worker serves the function. If none does in time, it runs `otherwise`; without it, the call ends. Returns whether
   * one serves it now.
   */
  #whenServed(then: () => void, otherwise?: () => void): boolean {
    // A call must not overtake those that waited for the worker, and are woken in this turn.
    if (this.#isAllowed && this.#isServed() && !this.#deps.waits.isDue) {
      then();
      return true;
    }
    this.#waits = otherwise === undefined;
    const isReady = () => this.#isServed() && this.#mayCall();
    this.#pending = this.#deps.waits.wait(isReady, () => {
      this.#waits = false;
      this.#pending = undefined;
      this.#isAllowed = this.#mayCall();
      if (this.#isAllowed && this.#isServed()) then();
      else if (otherwise === undefined || this.#deps.waits.stopped) this.#notFound();
      else if (this.#isAllowed) otherwise();
      else this.#end(this.#unknown('the function is not allowed now'), 'unknown');
    });
    return false;
  }

  /** Returns whether the caller may call the function. Rules of `metadata` allow it only while a worker serves it. */
  #mayCall(): boolean {
    return this.#caller.access.mayCall(this.#call.functionId);
  }

  #isServed(): boolean {
    const { fabric, middleware } = this.#deps;
    return middleware !== undefined || fabric.hasFunction(this.#call.functionId);
  }

  /** Ends a call that did not run. */
  #notFound(): void {
    const { functionId } = this.#call;
    this.#forget();
    if (this.#deps.waits.stopped)
      return this.#end(failed('ENGINE_STOPPING', 'the engine is stopping and did nothing; call again on the next connection'), 'refused');
    const absent = `no function ${functionId} is registered now; start the worker that registers it`;
    const outcome: CallOutcome = this.#mayCall() ? failed('function_not_found', absent) : { kind: 'error', error: forbidden(functionId) };
    this.#end(outcome, 'refused');
  }

  #request(): Call {
    const { functionId, idempotencyKey, inexactNumbers } = this.#call;
    const { middleware } = this.#deps;
    const payload = this.#payload ?? JsonPayload.ofValue(null);
    this.#payload = undefined;
    const key = idempotencyKey === undefined ? undefined : keyFor(this.#caller.identity, functionId, idempotencyKey);
    if (middleware === undefined) return { functionId, payload, caller: this.#caller, idempotencyKey: key, inexactNumbers };
    const { access, card } = this.#caller;
    return middlewareCall(middleware, { functionId, payload: payload.value }, { context: access.grant.context, card, idempotencyKey: key });
  }

  #settled(outcome: Outcome): void {
    if (!this.#open) return;
    if (outcome.kind === 'result') return this.#finish(this.#bounded(outcome), 'result');
    const { code } = outcome.error;
    if (outcome.origin === 'engine' && NOT_RUN.has(code)) {
      this.#forget();
      return this.#end({ kind: 'error', error: this.#shown(outcome) }, 'refused');
    }
    const isUnanswered = outcome.origin === 'engine' && code === 'invocation_stopped';
    if (isUnanswered && this.#call.idempotencyKey !== undefined) return this.#stopped(outcome);
    const error: CallOutcome = { kind: 'error', error: this.#shown(outcome) };
    if (isUnanswered) this.#end(error, 'error');
    else this.#finish(error, 'error');
  }

  /** Ends a call with a key whose worker has disconnected. */
  #stopped(outcome: Extract<Outcome, { kind: 'error' }>): void {
    const { fabric } = this.#deps;
    if (isIdempotent(fabric.functions.find(this.#call.functionId)?.metadata)) {
      this.#forget();
      return this.#end({ kind: 'error', error: this.#shown(outcome) }, 'error');
    }
    this.#abandon();
    this.#end(this.#unknown('its worker disconnected before it answered'), 'unknown');
  }

  #timeUp(): void {
    if (this.#waits) return this.#notFound();
    if (this.#dispatched) this.#abandon();
    else this.#forget();
    if (this.#dispatched || this.#isRepeat) return this.#end(this.#timeout(), 'timeout');
    // Only the ledger holds up such a call: for itself, or for an earlier call of the session.
    this.#end(notStarted(this.#call.functionId), 'refused');
  }

  /** Returns the error as pages may see it. */
  #shown(outcome: Extract<Outcome, { kind: 'error' }>) {
    const { middleware, logger } = this.#deps;
    const { functionId } = this.#call;
    const { code } = outcome.error;
    if (outcome.origin === 'engine' && middleware !== undefined) {
      logger.warn('middleware_failed', { function: middleware, code });
      return { code, message: `the middleware of ${functionId} can't be called now` };
    }
    return publicError(outcome, { functionId, expose: false, logger, fields: { session: this.#caller.workerId } });
  }

  #bounded({ text }: Extract<Outcome, { kind: 'result' }>): CallOutcome {
    const most = LIMITS.callResultBytes;
    if (text === undefined || text.length * 3 <= most || Buffer.byteLength(text) <= most) return { kind: 'result', text };
    return failed('RESULT_TOO_LARGE', `the result is larger than ${most} bytes; data that the call has written stays written`);
  }

  #unknown(reason: string): CallOutcome {
    const { functionId } = this.#call;
    this.#deps.logger.warn('call_outcome_unknown', { function: functionId, session: this.#caller.workerId, reason });
    return failed('OUTCOME_UNKNOWN', `${functionId} may have taken effect or not: ${reason}; read the data before you call again`);
  }

  #timeout(): CallOutcome {
    return failed('TIMEOUT', `${this.#call.functionId} did not answer in time; it may still take effect`);
  }

  #failed(error: unknown): CallOutcome {
    if (error instanceof RivuletError) return { kind: 'error', error: error.toBody() };
    this.#deps.logger.error('call_ledger_failed', { function: this.#call.functionId, error });
    return failed('invocation_error', 'the engine could not store the call, and did not call the function; its log has the cause');
  }

  #finish(outcome: CallOutcome, end: CallEnd): void {
    const run = this.#takeRun();
    if (run !== undefined) this.#store(run.finish(outcome));
    this.#end(afterRun(outcome), end);
  }

  #forget(): void {
    const run = this.#takeRun();
    if (run !== undefined) this.#store(run.release());
  }

  #abandon(): void {
    const run = this.#takeRun();
    if (run !== undefined) this.#store(run.abandon());
  }

  #takeRun(): LedgerRun | undefined {
    const run = this.#run;
    this.#run = undefined;
    return run;
  }

  #end(outcome: CallOutcome, end: CallEnd): void {
    if (!this.#open) return;
    this.#answer(outcome, end);
    this.#close();
  }

  #answer(outcome: CallOutcome, end: CallEnd): void {
    const done = this.#done;
    if (done === undefined) return;
    this.#done = undefined;
    const { counts } = this.#deps;
    counts.ended[end]++;
    counts.seconds.observe((performance.now() - this.#since) / 1_000);
    done(outcome);
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#timers.cancel(this.#answerTimer);
    this.#timers.cancel(this.#endTimer);
    this.#pending?.cancel();
    this.#pending = undefined;
    this.#turn?.leave();
    if (this.#inLedger === 0) this.#ended();
  }

  /** Ends a request to the ledger. The engine forgets the call, and may close the store, only after the last one. */
  #leftLedger(): void {
    this.#inLedger--;
    if (!this.#open && this.#inLedger === 0) this.#ended();
  }

  /** Awaits a write of the ledger. */
  #store(write: Promise<void>): void {
    this.#inLedger++;
    runInBackground(this.#stored(write), this.#deps.logger, 'call_ledger');
  }

  async #stored(write: Promise<void>): Promise<void> {
    try {
      await write;
    } finally {
      this.#leftLedger();
    }
  }
}

/** Returns the key that the function gets. A page chooses its own keys, so the identity is part of what the function passes on. */
function keyFor(identity: string | undefined, functionId: string, key: string): string {
  return createHash('sha256')
    .update(JSON.stringify([identity ?? null, functionId, key]))
    .digest('base64url');
}
