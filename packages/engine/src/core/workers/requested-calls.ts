import { encodeError, encodeResult, type InvokeFunction, LIMITS } from '@rivulet/protocol';
import type { LogFields, Logger } from '../../logging/logger.js';
import { type Clock, systemClock, timersOf } from '../../structures/clock.js';
import type { PendingCall } from '../fabric/fabric.js';
import type { FunctionFabric } from '../fabric/function-fabric.js';
import { type Call, type Caller, type Failure, failure, forbiddenText, JsonPayload, type Outcome } from '../fabric/invocation.js';
import { publicError } from '../fabric/public-error.js';
import { middlewareCall } from './middleware-call.js';

export interface CallContext {
  readonly fabric: FunctionFabric;
  readonly maxInFlightCalls: number;
  /** Function that gets the calls of the listener's sessions in place of their targets. */
  readonly middlewareFunction: string | undefined;
  /** True: guests get the errors of functions unchanged. @default false */
  readonly exposeErrorMessages?: boolean | undefined;
  /** Measures the time that `drain` waits. @default the clock of the system */
  readonly clock?: Pick<Clock, 'timers'>;
  readonly logger: Logger;
}

/** The worker that makes the calls. */
export interface CallingWorker extends Caller {
  /** Calls that the worker runs for others. */
  readonly runningCalls: number;
  warnOnce(event: string, cause: string, fields: LogFields): void;
  send(text: string): 'sent' | 'closed' | 'too_large';
  /** Returns whether an answer of this length may be queued now. @default always true */
  mayAnswer?(chars: number): boolean;
}

/**
 * The calls that one worker connection makes, up to their answers.
 *
 * A call passes these steps: refusals of the engine, then the middleware of the listener if there is one, then the function. The answer
 * goes back under the caller's id. The call counts as in flight until then.
 */
export class RequestedCalls {
  readonly #context: CallContext;
  readonly #worker: CallingWorker;
  readonly #pending = new Set<PendingCall>();
  #inFlight = 0;
  /** Text length of the frames of the calls in flight. */
  #chars = 0;
  #draining = false;
  #idle: (() => void) | undefined;

  constructor(context: CallContext, worker: CallingWorker) {
    this.#context = context;
    this.#worker = worker;
  }

  /** Calls that have no answer yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Makes a call and sends its answer. `chars`: length of the frame's text. */
  make(message: InvokeFunction, chars = 0): void {
    // The callback below keeps these names only. Otherwise each call in flight would keep the whole message in memory.
    const { action, invocation_id: invocationId, function_id: functionId, traceparent, baggage } = message;
    const middleware = this.#middlewareFor(message);
    const answers = invocationId !== undefined && (action === undefined || (middleware !== undefined && action.type === 'enqueue'));
    const refusal = this.#refusal(message, chars, middleware);
    if (refusal !== undefined) {
      if (this.#context.fabric.tracing !== undefined) this.#context.fabric.recordRefused(this.#callOf(message), refusal);
      if (action?.type !== 'void' && invocationId !== undefined) this.#answer(invocationId, functionId, refusal, traceparent, baggage);
      else this.#warnUnanswered(functionId, refusal, true);
      return;
    }
    this.#inFlight++;
    this.#chars += chars;
    let ended = false;
    let pending: PendingCall | undefined;
    const call = middleware === undefined ? this.#callOf(message) : this.#middlewareCall(middleware, message);
    pending = this.#context.fabric.invoke(call, (outcome) => {
      ended = true;
      if (pending !== undefined) this.#pending.delete(pending);
      if (answers) this.#answer(invocationId, functionId, this.#forCaller(outcome, functionId, middleware), traceparent, baggage);
      else if (outcome.kind === 'error') this.#warnUnanswered(functionId, outcome);
      this.#inFlight--;
      this.#chars -= chars;
      if (this.#inFlight === 0) this.#idle?.();
    });
    if (!ended) this.#pending.add(pending);
  }

  /**
   * Refuses new calls from now on, except those that the worker makes while it runs a call. Resolves with true when all calls are answered,
   * and with false after `timeoutMs`. A caller may repeat it after it has resolved.
   */
  async drain(timeoutMs: number): Promise<boolean> {
    this.#draining = true;
    if (this.#inFlight === 0) return true;
    return new Promise((resolve) => {
      const timers = timersOf(this.#context.clock ?? systemClock);
      const timer = timers.once(timeoutMs, () => {
        this.#context.logger.warn('calls_cut_off', { worker: this.#worker.workerId, calls: this.#inFlight });
        resolve(false);
      });
      this.#idle = () => {
        timers.cancel(timer);
        resolve(true);
      };
    });
  }

  /** Cancels all calls, because the worker has disconnected. */
  forget(): void {
    for (const pending of this.#pending) pending.cancel();
    this.#pending.clear();
  }

  /** Ends a `drain` that waits for cancelled calls. */
  endDrain(): void {
    this.#inFlight = 0;
    this.#idle?.();
  }

  #callOf(message: InvokeFunction): Call {
    return {
      functionId: message.function_id,
      namespace: message.namespace,
      payload: JsonPayload.ofValue(message.data),
      metadata: message.metadata,
      traceparent: message.traceparent,
      baggage: message.baggage,
      caller: this.#worker,
      inexactNumbers: message.inexactNumbers,
    };
  }

  /** Returns the middleware for a call. Functions of the engine pass no middleware (spec RB §5.4). */
  #middlewareFor(message: InvokeFunction): string | undefined {
    const { middlewareFunction } = this.#context;
    return middlewareFunction === undefined || message.function_id.startsWith('engine::') ? undefined : middlewareFunction;
  }

  #middlewareCall(middleware: string, message: InvokeFunction): Call {
    const { function_id: functionId, data: payload, action, namespace } = message;
    const by = { context: this.#worker.access?.grant.context ?? {}, card: this.#worker.card };
    const { metadata, traceparent, baggage } = message;
    return { ...middlewareCall(middleware, { functionId, payload, action, namespace }, by), metadata, traceparent, baggage };
  }

  /** Returns why a call is not made; `undefined` when it may be made. */
  #refusal(message: InvokeFunction, chars: number, middleware: string | undefined): Failure | undefined {
    // A worker that runs a call may need others to finish it.
    if (this.#draining && this.#worker.runningCalls === 0) {
      return failure('ENGINE_STOPPING', 'the engine is stopping; call again after its restart');
    }
    if (this.#worker.access?.mayCall(message.function_id, message.namespace) === false) {
      this.#context.logger.debug('call_refused', {
        function: message.function_id,
        namespace: message.namespace,
        worker: this.#worker.workerId,
      });
      return failure('FORBIDDEN', forbiddenText(message.function_id));
    }
    if (message.action?.type === 'enqueue' && middleware === undefined) {
      return failure('enqueue_error', `no queue provider for queue ${JSON.stringify(message.action.queue)}; this engine has no queues`);
    }
    if (message.action?.type === 'unknown') return failure('invalid_action', `unknown action type ${JSON.stringify(message.action.name)}`);
    const guest = this.#worker.access !== undefined;
    const most = guest ? Math.min(this.#context.maxInFlightCalls, LIMITS.guestInFlightCalls) : this.#context.maxInFlightCalls;
    if (this.#inFlight >= most) return failure('OVERLOADED', `more than ${most} calls in flight on this connection; wait for answers`);
    if (guest && this.#inFlight > 0 && this.#chars + chars > LIMITS.guestInFlightChars) {
      const text = `the calls in flight on this connection have more than ${LIMITS.guestInFlightChars} characters; wait for answers`;
      return failure('OVERLOADED', text);
    }
    return undefined;
  }

  /** Returns the outcome as the caller may see it. A guest gets no raw errors and no names of middleware. */
  #forCaller(outcome: Outcome, functionId: string, middleware: string | undefined): Outcome {
    if (outcome.kind === 'result' || this.#worker.access === undefined) return outcome;
    const { exposeErrorMessages: expose = false, logger } = this.#context;
    if (outcome.origin === 'engine' && middleware !== undefined && !expose) {
      this.#worker.warnOnce('middleware_failed', outcome.error.code, { function: middleware, code: outcome.error.code });
      return { ...outcome, error: { code: outcome.error.code, message: `the middleware of ${functionId} can't be called now` } };
    }
    const fields = { worker: this.#worker.workerId };
    return { ...outcome, error: publicError(outcome, { functionId, expose, logger, fields }) };
  }

  /** Sends an answer with the trace of the outcome, or else with that of the call. */
  #answer(invocationId: string, functionId: string, outcome: Outcome, traceparent?: string, baggage?: string): void {
    const frame = {
      invocationId,
      functionId,
      traceparent: outcome.traceparent ?? traceparent,
      baggage: outcome.baggage ?? baggage,
    };
    if (outcome.kind !== 'error' && this.#worker.mayAnswer?.(outcome.text?.length ?? 0) === false) {
      const text = 'this client does not read its answers; read them before you call again. Data that the call has written stays written';
      this.#worker.send(encodeError({ invocationId, functionId }, failure('OVERLOADED', text).error));
      return;
    }
    const sent = this.#worker.send(outcome.kind === 'error' ? encodeError(frame, outcome.error) : encodeResult(frame, outcome.text));
    if (sent !== 'too_large') return;
    const most = this.#worker.maxMessageBytes;
    const text = `the answer is larger than the ${most} bytes that this client takes; data that the call has written stays written`;
    // The trace is left out, because its size has no bound.
    this.#worker.send(encodeError({ invocationId, functionId }, failure('RESULT_TOO_LARGE', text).error));
  }

  /**
   * Logs that a call failed whose caller wants no answer. Guests fail as often as they like, and any peer can cause a refusal, so both are
   * logged once.
   */
  #warnUnanswered(functionId: string, { error, origin }: Failure, refused = false): void {
    const fields = { function: functionId, code: error.code };
    if (refused || this.#worker.access !== undefined)
      this.#worker.warnOnce('void_call_failed', origin === 'engine' ? error.code : 'of the function', fields);
    else this.#context.logger.warn('void_call_failed', { worker: this.#worker.workerId, ...fields });
  }
}
