import { isJsonObject, parseJson } from '@rivulet/protocol';
import type { Fabric, FireOutcome, TriggerBinding, TriggerProvider } from '../../core/fabric/fabric.js';
import { JsonPayload } from '../../core/fabric/invocation.js';
import { refuses } from '../../core/workers/access/auth-answer.js';
import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { GroupRef } from '../../store/store.js';
import type { JoinRefusalCause } from '../../why/why-records.js';
import { matches, readFilter, type TriggerFilter } from '../functions/trigger-filter.js';
import { readLeaseGrant } from '../leases/lease-grant.js';
import type { LeaseGrant } from '../leases/leases.js';

/** The input of the functions of `stream:join` and `stream:leave` (spec ST §2.6). */
export interface JoinEvent {
  readonly subscription_id: string;
  readonly stream_name: string;
  readonly group_id: string;
  readonly id: string | null;
  readonly context: unknown;
  /** Name of the user; absent when the auth function gave none. */
  readonly identity?: string;
  /** Present for a plain HTTP read, which fires no leave and gets no lease. */
  readonly transport?: 'http';
}

/** Returns the input of the functions about one subscription. */
export function joinEvent(
  subscriptionId: string,
  { stream, group }: GroupRef,
  item: string | undefined,
  { context, identity }: { readonly context: unknown; readonly identity?: string | undefined },
): JoinEvent {
  return {
    subscription_id: subscriptionId,
    stream_name: stream,
    group_id: group,
    id: item ?? null,
    context: context ?? null,
    ...(identity === undefined ? {} : { identity }),
  };
}

export interface JoinPolicy {
  /** Errors and time-outs deny, and at least one function must allow. */
  readonly failClosed: boolean;
  /** An auth function is configured. Then errors and time-outs deny. */
  readonly authenticated: boolean;
  readonly timeoutMs: number;
}

/** `refused`: a function or the token said no. `failed`: a function is missing, failed, or answered nonsense. */
export type JoinDenial = 'refused' | 'failed';

/** `lease`: the item that the client leases while it watches. When several functions give one, the first counts. */
export type JoinDecision =
  | { readonly allowed: false; readonly because: JoinDenial; readonly cause: JoinRefusalCause }
  | { readonly allowed: true; readonly lease: LeaseGrant | undefined };

/** Returns the decision about a join that failed for a reason. `function`: the function that failed, if one did. */
function failed(reason: string, functionId?: string): JoinDecision {
  return { allowed: false, because: 'failed', cause: { by: 'function', function: functionId, reason } };
}

/** FilteredBindings of one of the two trigger types. */
class FilteredBindings implements TriggerProvider {
  readonly #entries = new Map<string, { readonly binding: TriggerBinding; readonly filter: TriggerFilter }>();

  register(binding: TriggerBinding): void {
    this.#entries.set(binding.id, { binding, filter: readFilter(binding.config) });
  }

  unregister(binding: TriggerBinding): void {
    this.#entries.delete(binding.id);
  }

  get empty(): boolean {
    return this.#entries.size === 0;
  }

  matching(event: JoinEvent): TriggerBinding[] {
    const found: TriggerBinding[] = [];
    for (const { binding, filter } of this.#entries.values()) {
      if (matches(filter, event.stream_name, event.group_id, event.id ?? undefined)) found.push(binding);
    }
    return found;
  }
}

/** Calls the `stream:join` functions before a session may watch, and the `stream:leave` functions when it stops. */
export class JoinLeaveTriggers {
  readonly joins: TriggerProvider;
  readonly leaves: TriggerProvider;
  readonly #joins = new FilteredBindings();
  readonly #leaves = new FilteredBindings();
  readonly #fabric: Fabric;
  readonly #policy: JoinPolicy;
  readonly #logger: Logger;

  constructor(fabric: Fabric, policy: JoinPolicy, logger: Logger) {
    this.#fabric = fabric;
    this.#policy = policy;
    this.#logger = logger;
    this.joins = this.#joins;
    this.leaves = this.#leaves;
  }

  /** Whether every join is allowed without a call. */
  get open(): boolean {
    return this.#joins.empty && !this.#policy.failClosed;
  }

  /**
   * Calls all matching functions. One denial is enough. A function of a guest may deny, but its answer neither allows a join that fails
   * closed nor gives a lease.
   */
  async decide(event: JoinEvent): Promise<JoinDecision> {
    const bindings = this.#joins.matching(event);
    if (this.#policy.failClosed && !bindings.some((binding) => !binding.guest && this.#fabric.hasFunction(binding.functionId))) {
      this.#logger.warn('join_denied', { reason: 'no_live_join_function', stream: event.stream_name, group: event.group_id });
      return failed('no_live_join_function');
    }
    const payload = JsonPayload.ofValue(event);
    const outcomes = await Promise.all(bindings.map((binding) => this.#fabric.fire(binding, payload, this.#policy.timeoutMs)));
    const denied = outcomes.findIndex((outcome, index) => this.#denies(outcome, bindings[index] as TriggerBinding));
    const denial = outcomes[denied];
    if (denial !== undefined) return deniedBy(denial, bindings[denied]?.functionId);
    // A function whose condition was false was not called. It allows nothing when joins fail closed.
    if (this.#policy.failClosed && !outcomes.some(({ kind }, index) => kind === 'result' && bindings[index]?.guest !== true)) {
      this.#logger.warn('join_denied', { reason: 'no_join_function_decided', stream: event.stream_name, group: event.group_id });
      return failed('no_join_function_decided');
    }
    let lease: LeaseGrant | undefined;
    for (const [index, outcome] of outcomes.entries()) {
      const binding = bindings[index] as TriggerBinding;
      if (binding.guest || outcome.kind !== 'result') continue;
      const read = readLeaseGrant(outcome.text);
      if (read === 'malformed') {
        if (this.#denyFailures(binding, 'the lease can not be read')) return failed('lease_unreadable', binding.functionId);
      } else lease ??= read;
    }
    return { allowed: true, lease };
  }

  /** Calls the `stream:leave` functions in the background. Their results have no effect. */
  left(event: JoinEvent): void {
    if (this.#leaves.empty) return;
    const payload = JsonPayload.ofValue(event);
    for (const binding of this.#leaves.matching(event)) runInBackground(this.#callLeave(binding, payload), this.#logger, 'stream_leave');
  }

  async #callLeave(binding: TriggerBinding, payload: JsonPayload): Promise<void> {
    const outcome = await this.#fabric.fire(binding, payload, this.#policy.timeoutMs);
    if (outcome.kind === 'error' || outcome.kind === 'timeout') {
      this.#logger.warn('leave_function_failed', { function: binding.functionId, reason: reasonOf(outcome) });
    }
  }

  #denies(outcome: FireOutcome, binding: TriggerBinding): boolean {
    switch (outcome.kind) {
      case 'skipped':
        return outcome.reason === 'condition_failed' && this.#denyFailures(binding, outcome.reason);
      case 'result':
        return this.#refusesJoin(outcome.text, binding);
      case 'error':
      case 'timeout':
        return this.#denyFailures(binding, reasonOf(outcome));
      default:
        return outcome satisfies never;
    }
  }

  /** Returns whether an answer denies. An object without `unauthorized` allows. No result and `null` allow unless joins fail closed. */
  #refusesJoin(text: string | undefined, binding: TriggerBinding): boolean {
    const answer: unknown = text === undefined ? null : parseJson(text);
    if (isJsonObject(answer)) return refuses(answer);
    if (answer === null) return this.#policy.failClosed;
    this.#logger.warn('join_answer_refused', { function: binding.functionId, reason: 'the answer is neither an object nor null' });
    return true;
  }

  #denyFailures(binding: TriggerBinding, reason: string): boolean {
    const denies = this.#policy.failClosed || this.#policy.authenticated;
    this.#logger.warn('join_function_failed', { function: binding.functionId, reason, denies });
    return denies;
  }
}

function deniedBy(denial: FireOutcome, functionId: string | undefined): JoinDecision {
  if (denial.kind !== 'result') return failed(denial.kind === 'skipped' ? denial.reason : reasonOf(denial), functionId);
  return { allowed: false, because: 'refused', cause: { by: 'function', function: functionId, reason: 'unauthorized' } };
}

function reasonOf(outcome: FireOutcome): string {
  return outcome.kind === 'error' ? outcome.error.code : outcome.kind;
}
