import { randomUUID } from 'node:crypto';
import { type ErrorBody, encodeInvoke, type InvocationResult } from '@rivulet/protocol';
import { runSafely } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { CallCounts } from '../fabric/call-counts.js';
import type { PendingCall } from '../fabric/fabric.js';
import { type Call, failure, type Outcome } from '../fabric/invocation.js';
import type { NameMap } from './access/name-map.js';
import { type Callee, callerFor, dataFor, isWrapped } from './caller-data.js';
import type { WorkerOutbound } from './worker-outbound.js';

type Done = (outcome: Outcome) => void;

/** A call that its worker has not answered. */
interface Running {
  readonly done: Done;
  /** Monotonic milliseconds. */
  readonly since: number;
}

export interface DispatchContext {
  readonly outbound: WorkerOutbound;
  /** The names under which the worker knows its functions. */
  readonly names: NameMap;
  readonly callee: Callee;
  /** Returns the largest message that the worker takes now, in bytes. */
  readonly maxMessageBytes: () => number;
  readonly counts: CallCounts;
  readonly logger: Logger;
}

/**
 * The calls that one worker runs for others. The engine gives each call an id of its own and never forwards the id of the caller. A worker
 * may therefore call itself, and no worker can answer a call that another one runs.
 */
export class DispatchedCalls {
  readonly #context: DispatchContext;
  /** The calls that the worker has not answered, by the engine's id. */
  readonly #running = new Map<string, Running>();

  constructor(context: DispatchContext) {
    this.#context = context;
  }

  /** Calls that the worker has not answered. */
  get size(): number {
    return this.#running.size;
  }

  /** Sends a call to the worker. `done` runs once, perhaps before this returns, unless the call is cancelled first. */
  dispatch(call: Call, done: Done): PendingCall {
    const id = randomUUID();
    const { counts } = this.#context;
    this.#running.set(id, { done, since: performance.now() });
    counts.running++;
    const pending = {
      cancel: () => {
        if (this.#running.delete(id)) counts.running--;
      },
    };
    const refusal = this.#send(id, call);
    if (refusal === undefined) return pending;
    pending.cancel();
    counts.workerFailed++;
    done(refusal);
    return pending;
  }

  /** Ends a call with the worker's answer. Returns false for late, duplicate and foreign answers, which have no effect. */
  settle(result: InvocationResult): boolean {
    const done = this.#take(result.invocation_id);
    if (done === undefined) return false;
    this.#end(done, withTrace(outcomeOf(result), result));
    return true;
  }

  /** Fails a call whose answer the engine can't read, because no other answer will come. Returns whether the call was running. */
  refuse(invocationId: string, error: ErrorBody): boolean {
    const done = this.#take(invocationId);
    if (done === undefined) return false;
    this.#end(done, { kind: 'error', error, origin: 'engine' });
    return true;
  }

  /** Fails all running calls, because the worker has disconnected. */
  fail(): void {
    const waiting = [...this.#running.values()];
    this.#running.clear();
    this.#context.counts.running -= waiting.length;
    for (const { done } of waiting)
      this.#end(done, failure('invocation_stopped', 'the worker that ran the function disconnected before it answered'));
  }

  /** Sends the frame of a call and returns why it failed; `undefined` when it was sent. */
  #send(id: string, call: Call): Outcome | undefined {
    const { outbound, names, callee, maxMessageBytes } = this.#context;
    if (outbound.isBacklogged)
      return failure('OVERLOADED', 'the worker that should run the function reads more slowly than it is called; call again later');
    const frame = encodeInvoke({
      invocationId: id,
      functionId: names.given('function', call.functionId),
      data: dataFor(call, callee),
      caller: callerFor(call, callee),
      isWrapped: isWrapped(call),
      metadata: call.metadata,
      traceparent: call.span?.traceparent ?? call.traceparent,
      baggage: call.baggage,
    });
    switch (outbound.send(frame)) {
      case 'sent':
        return undefined;
      case 'too_large':
        return failure('MESSAGE_TOO_LARGE', `the call is larger than the ${maxMessageBytes()} bytes that the worker of the function takes`);
      case 'closed':
        return failure('channel_send_failed', 'the worker that should run the function can take no more messages');
    }
  }

  #take(id: string | undefined): Done | undefined {
    const running = id === undefined ? undefined : this.#running.get(id);
    if (id === undefined || running === undefined) return undefined;
    this.#running.delete(id);
    const { counts } = this.#context;
    counts.running--;
    counts.seconds.observe((performance.now() - running.since) / 1_000);
    return running.done;
  }

  /** Runs the caller's code. An error of that code must not end the session of the worker that answered. */
  #end(done: Done, outcome: Outcome): void {
    if (outcome.kind === 'error') this.#context.counts.workerFailed++;
    runSafely(() => done(outcome), this.#context.logger, 'call_answer');
  }
}

function outcomeOf({ error, result }: InvocationResult): Outcome {
  if (error !== undefined) return { kind: 'error', error, origin: 'function' };
  return { kind: 'result', text: result === undefined ? undefined : JSON.stringify(result) };
}

/** Most answers have no trace, and a copy for each of them would cost time. */
function withTrace(outcome: Outcome, { traceparent, baggage }: InvocationResult): Outcome {
  if (traceparent === undefined && baggage === undefined) return outcome;
  return { ...outcome, ...(traceparent === undefined ? {} : { traceparent }), ...(baggage === undefined ? {} : { baggage }) };
}
