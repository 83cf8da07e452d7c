import { RivuletError } from '@rivulet/protocol';
import { runSafely } from '../../logging/background.js';
import type { LogFields, Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import { type Clock, systemClock, timersOf } from '../../structures/clock.js';
import { BuiltinContract, type BuiltinSchemas, type ConfigSchema, publishedSchema } from '../contracts/builtin-contract.js';
import { IgnoredKeys } from '../contracts/ignored-keys.js';
import { InputKeys, type KeyPolicy } from '../contracts/input-keys.js';
import { newCallCounts, triggerCountsOf } from './call-counts.js';
import type { CallerCard } from './caller-card.js';
import { decides } from './decision-triggers.js';
import { EventBudget } from './event-budget.js';
import type { Fabric, FireOutcome, FiringCause, PendingCall, TriggerBinding, TriggerProvider } from './fabric.js';
import { FiringScheduler } from './firing-scheduler.js';
import { DEFAULT_NAMESPACE, FunctionRegistry } from './function-registry.js';
import { type BuiltinHandler, type Call, failure, forbiddenText, type JsonPayload, type Outcome } from './invocation.js';
import { notFoundText } from './not-found-text.js';
import { callSubject, endOf } from './span-of-call.js';
import type { Span, Tracing } from './tracing.js';
import { TriggerRegistry } from './trigger-registry.js';

const NOTHING_PENDING: PendingCall = { cancel() {} };

/** The fabric of one engine. It finds functions, runs built-ins, dispatches calls to workers and fires bindings. */
export class FunctionFabric implements Fabric {
  readonly functions: FunctionRegistry;
  readonly triggers: TriggerRegistry;
  readonly firing: Fabric['firing'];
  readonly counts = newCallCounts();
  /** Names of the stream clients that have called a function and are connected, by session id. */
  readonly pages = new Map<string, CallerCard>();
  readonly tracing: Tracing | undefined;
  /** Measures the time-outs of calls. */
  readonly clock: Clock;
  readonly #logger: Logger;
  /** Log lines of bindings that have failed. */
  readonly #failures = new WeakMap<TriggerBinding, Record<'condition_failed' | 'trigger_function_failed', RepeatedLine>>();

  readonly #ignoredKeys: IgnoredKeys;
  readonly #strict: boolean;

  /**
   * @param onFunctionsChanged Runs after each change of the functions that workers serve.
   * @param strict True: unknown keys are refused (`strict_payloads`).
   * @param tracing Spans for calls and firings; `undefined`: none.
   * @param clock Measures the time-outs of calls.
   */
  constructor(logger: Logger, onFunctionsChanged: () => void = () => {}, strict = false, tracing?: Tracing, clock: Clock = systemClock) {
    this.#logger = logger;
    this.clock = clock;
    this.tracing = tracing;
    this.#strict = strict;
    this.#ignoredKeys = new IgnoredKeys(logger);
    const countsOf = (type: string) => triggerCountsOf(this.counts, type);
    this.firing = { scheduler: new FiringScheduler(logger), events: new EventBudget(), countsOf };
    this.functions = new FunctionRegistry(onFunctionsChanged);
    this.triggers = new TriggerRegistry(logger);
  }

  registerBuiltin(id: string, handler: BuiltinHandler, description: string, schemas?: BuiltinSchemas): void {
    if (schemas === undefined) return this.functions.addBuiltin({ id, handler, description, contract: undefined });
    const contract = new BuiltinContract(schemas);
    const checked: BuiltinHandler = (call) => {
      contract.check(call.payload.value, this.#keyPolicy(call.caller?.workerId, id));
      return handler(call);
    };
    this.functions.addBuiltin({ id, handler: checked, description, contract });
  }

  hasFunction(id: string, namespace?: string): boolean {
    return this.functions.has(id, namespace);
  }

  newestNamespace(id: string): string | undefined {
    return this.functions.newestNamespace(id);
  }

  onServed(listener: (id: string) => void): void {
    this.functions.onServed(listener);
  }

  invoke(call: Call, done: (outcome: Outcome) => void): PendingCall {
    const answered = this.#logger.isDebug === true ? this.#logged(call, done) : done;
    return this.tracing === undefined ? this.#invoke(call, answered) : this.#traced(this.tracing, call, answered);
  }

  /** Records a call that the engine refused before it looked for the function. Without tracing it does nothing. */
  recordRefused(call: Call, refusal: Outcome): void {
    this.tracing?.begin(callSubject(call, false), call).end(endOf(refusal));
  }

  #traced(tracing: Tracing, call: Call, done: (outcome: Outcome) => void): PendingCall {
    const span = tracing.begin(callSubject(call, this.functions.isOfTrusted(call.functionId, call.namespace)), call.span ?? call);
    const pending = this.#invoke({ ...call, span }, (outcome) => {
      span.end(endOf(outcome));
      done(outcome);
    });
    return {
      cancel: () => {
        pending.cancel();
        span.end({ outcome: 'cancelled' });
      },
    };
  }

  /** Logs a call, and its failure. The lines have no payload. */
  #logged({ functionId, namespace, caller, from }: Call, done: (outcome: Outcome) => void): (outcome: Outcome) => void {
    const fields = {
      function: functionId,
      namespace,
      worker: caller?.workerId,
      from: caller === undefined ? (from ?? 'engine') : undefined,
    };
    this.#logger.debug('function_called', fields);
    return (outcome) => {
      if (outcome.kind === 'error') this.#logger.debug('call_failed', { ...fields, code: outcome.error.code });
      done(outcome);
    };
  }

  #invoke(call: Call, done: (outcome: Outcome) => void): PendingCall {
    const builtin = this.functions.builtin(call.functionId);
    if (builtin !== undefined) {
      this.counts.engine++;
      return this.#run(builtin.handler, call, done);
    }
    const registration = this.functions.find(call.functionId, call.namespace, call.preferWorker, call.deciding);
    if (registration === undefined) {
      this.counts.notFound++;
      done(this.#notFound(call));
      return NOTHING_PENDING;
    }
    if (registration.httpInvoked) {
      done(failure('function_not_invokable', `function ${call.functionId} is HTTP-invoked, which this engine does not perform`));
      return NOTHING_PENDING;
    }
    this.counts.worker++;
    return registration.owner.dispatch(call, done);
  }

  request(call: Call, timeoutMs: number): Promise<Outcome | { readonly kind: 'timeout' }> {
    return new Promise((resolve) => {
      let pending: PendingCall | undefined;
      const timers = timersOf(this.clock);
      const timer = timers.once(timeoutMs, () => {
        pending?.cancel();
        resolve({ kind: 'timeout' });
      });
      pending = this.invoke(call, (outcome) => {
        timers.cancel(timer);
        resolve(outcome);
      });
    });
  }

  /** Forgets what the engine remembers of a worker whose session has ended. */
  forgetWorker(workerId: string): void {
    this.#ignoredKeys.forget(workerId);
  }

  provideTriggerType(id: string, description: string, provider: TriggerProvider, config?: ConfigSchema): void {
    const keys = config === undefined ? undefined : InputKeys.of(config);
    triggerCountsOf(this.counts, id);
    const checked: TriggerProvider = {
      register: (binding) => {
        const refusal = keys?.refusal(binding.config, this.#keyPolicy(binding.workerId, id));
        if (refusal !== undefined) throw new RivuletError('trigger_registration_failed', `config of a ${id} trigger: ${refusal}`);
        provider.register(binding);
      },
      unregister: (binding) => provider.unregister(binding),
    };
    this.triggers.addType({
      id,
      namespace: DEFAULT_NAMESPACE,
      description,
      triggerRequestFormat: config === undefined ? null : publishedSchema(config),
      callRequestFormat: null,
      provider: checked,
      workerId: undefined,
    });
  }

  fire(binding: TriggerBinding, event: JsonPayload, timeoutMs?: number, cause?: FiringCause): Promise<FireOutcome> {
    const deadline = timeoutMs === undefined ? undefined : this.clock.monotonic() + timeoutMs;
    if (this.tracing === undefined) return this.#fire(binding, event, deadline);
    return this.#tracedFire(this.tracing, binding, event, deadline, cause);
  }

  async #tracedFire(
    tracing: Tracing,
    binding: TriggerBinding,
    event: JsonPayload,
    deadline: number | undefined,
    cause: FiringCause,
  ): Promise<FireOutcome> {
    const parent = cause === undefined ? undefined : await cause;
    const span = tracing.begin({ kind: 'trigger', type: binding.type, id: binding.id, functionId: binding.functionId }, parent);
    const outcome = await this.#fire(binding, event, deadline, span);
    span.end(endOf(outcome));
    return outcome;
  }

  async #fire(binding: TriggerBinding, event: JsonPayload, deadline: number | undefined, span?: Span): Promise<FireOutcome> {
    const counts = triggerCountsOf(this.counts, binding.type);
    const condition = binding.config.condition_function_id;
    if (typeof condition === 'string' && condition !== '') {
      const { namespace, workerId, guest } = binding;
      const call = {
        functionId: condition,
        namespace,
        payload: event,
        preferWorker: workerId,
        deciding: guest !== true,
        from: 'trigger' as const,
        span,
      };
      const answer = await this.#callWithin(call, deadline);
      if (answer.kind === 'timeout') {
        counts.failed++;
        return answer;
      }
      if (answer.kind === 'error') {
        counts.failed++;
        this.#warnOf(binding, 'condition_failed', { trigger: binding.id, function: condition, code: answer.error.code });
        return { kind: 'skipped', reason: 'condition_failed' };
      }
      if (answer.text === 'false') {
        counts.skipped++;
        return { kind: 'skipped', reason: 'condition' };
      }
    }
    counts.fired++;
    const { functionId, namespace, metadata, workerId } = binding;
    const call = {
      functionId,
      namespace,
      payload: event,
      metadata,
      preferWorker: workerId,
      deciding: decides(binding),
      from: 'trigger' as const,
      span,
    };
    const outcome = await this.#callWithin(call, deadline);
    if (outcome.kind !== 'result') counts.failed++;
    if (outcome.kind === 'error') {
      const { code } = outcome.error;
      this.#warnOf(binding, 'trigger_function_failed', { trigger: binding.id, type: binding.type, function: functionId, code });
    }
    return outcome;
  }

  /** Logs at most one line a minute for each binding, because a binding that fires often fails often. */
  #warnOf(binding: TriggerBinding, event: 'condition_failed' | 'trigger_function_failed', fields: LogFields): void {
    let lines = this.#failures.get(binding);
    if (lines === undefined) {
      lines = { condition_failed: new RepeatedLine(), trigger_function_failed: new RepeatedLine() };
      this.#failures.set(binding, lines);
    }
    lines[event].add((times) => this.#logger.warn(event, { ...fields, times }));
  }

  #callWithin(call: Call, deadline: number | undefined): Promise<Outcome | { readonly kind: 'timeout' }> {
    if (deadline !== undefined) return this.request(call, Math.max(1, deadline - this.clock.monotonic()));
    return new Promise((resolve) => {
      this.invoke(call, resolve);
    });
  }

  #keyPolicy(worker: string | undefined, of: string): KeyPolicy {
    return { strict: this.#strict, ignored: (key) => this.#ignoredKeys.add(worker, of, key) };
  }

  /** Returns the failure of a call whose function is missing. A guest learns neither that it is missing nor the names of namespaces. */
  #notFound({ functionId, namespace = DEFAULT_NAMESPACE, caller }: Call): Outcome {
    if (caller?.access !== undefined) return failure('FORBIDDEN', forbiddenText(functionId));
    const { functions } = this;
    const text = notFoundText({ functionId, namespace, elsewhere: functions.namespacesOf(functionId), known: functions.namespaces() });
    return failure('function_not_found', text);
  }

  #run(handler: BuiltinHandler, call: Call, done: (outcome: Outcome) => void): PendingCall {
    let answer: Outcome | Promise<Outcome>;
    try {
      answer = handler(call);
    } catch (error) {
      done(this.#thrown(call, error));
      return NOTHING_PENDING;
    }
    if (!(answer instanceof Promise)) {
      if (answer.kind === 'error') this.counts.engineFailed++;
      done(answer);
      return NOTHING_PENDING;
    }
    let cancelled = false;
    const end = (outcome: Outcome) => runSafely(() => done(outcome), this.#logger, 'builtin_answer');
    answer.then(
      (outcome) => {
        if (outcome.kind === 'error') this.counts.engineFailed++;
        if (!cancelled) end(outcome);
      },
      (error: unknown) => {
        if (!cancelled) end(this.#thrown(call, error));
      },
    );
    return {
      cancel: () => {
        cancelled = true;
      },
    };
  }

  #thrown(call: Call, error: unknown): Outcome {
    this.counts.engineFailed++;
    if (error instanceof RivuletError) return { kind: 'error', error: error.toBody(), origin: 'engine' };
    this.#logger.error('builtin_failed', { function: call.functionId, error: error instanceof Error ? error.stack : String(error) });
    return failure('invocation_error', `${call.functionId} failed inside the engine; its log has the cause`);
  }
}
