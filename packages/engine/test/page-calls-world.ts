import { FunctionFabric } from '../src/core/fabric/function-fabric.js';
import { type Call, JsonPayload, type Outcome } from '../src/core/fabric/invocation.js';
import { silentLogger } from '../src/logging/logger.js';
import type { CallLedger, CallName, CallOutcome, LedgerCall, LedgerEntry, LedgerRun } from '../src/stream/calls/call-ledger.js';
import { GroupHeads } from '../src/stream/calls/group-heads.js';
import { PageCalls, type PageCallsOptions } from '../src/stream/calls/page-calls.js';
import type { PageCall } from '../src/stream/calls/running-call.js';
import { systemClock } from '../src/structures/clock.js';
import { settled } from './hub-world.js';

/** A ledger whose entries the test gives, and which keeps how its runs ended. */
class TestLedger implements CallLedger {
  readonly begun: {
    readonly call: LedgerCall;
    readonly give: (entry: LedgerEntry) => void;
    readonly fail: (error: Error) => void;
    readonly onWait: (() => void) | undefined;
  }[] = [];
  readonly ends: unknown[] = [];
  readonly run: LedgerRun = {
    finish: (outcome) => this.#ended(outcome),
    release: () => this.#ended('released'),
    abandon: () => this.#ended('abandoned'),
  };
  /** Resolves the writes at the end of a run. */
  stored: Promise<void> = Promise.resolve();

  /** Calls of `findOutcome` without an answer. */
  readonly asked: { readonly call: CallName; readonly give: (outcome?: CallOutcome) => void; readonly fail: (error: Error) => void }[] = [];

  begin(call: LedgerCall, onWait?: () => void): Promise<LedgerEntry> {
    return new Promise((give, fail) => this.begun.push({ call, give, fail, onWait }));
  }

  findOutcome(call: CallName): Promise<CallOutcome | undefined> {
    return new Promise((give, fail) => this.asked.push({ call, give, fail }));
  }

  async giveRun(): Promise<void> {
    this.begun.at(-1)?.give({ kind: 'run', run: this.run });
    await settled();
  }

  #ended(end: unknown): Promise<void> {
    this.ends.push(end);
    return this.stored;
  }
}

/** The calls of pages, with a function fabric and a ledger that the test leads. */
export function pageCallsWorld(more: Partial<PageCallsOptions['config']> = {}, clock = systemClock) {
  const fabric = new FunctionFabric(silentLogger, undefined, false, undefined, clock);
  const running: { readonly call: Call; readonly end: (outcome: Outcome) => void }[] = [];
  let cancelled = 0;
  const dispatch = (call: Call, done: (outcome: Outcome) => void) => {
    running.push({ call, end: done });
    return { cancel: () => void cancelled++ };
  };
  const serve = (id: string, metadata?: unknown) => {
    const owner = { workerId: 'w', dispatch, displaced() {} };
    fabric.functions.register({
      namespace: 'default',
      id,
      owner,
      description: null,
      requestFormat: null,
      responseFormat: null,
      metadata,
      httpInvoked: false,
      guest: false,
      mayDecide: true,
    });
    return owner;
  };
  const ledger = new TestLedger();
  const heads = new GroupHeads({ get: () => Promise.reject(new Error('unused')), keeps: () => true }, silentLogger);
  const config = {
    exposeFunctions: [{ kind: 'match', pattern: 'app::*' } as const],
    middlewareFunction: undefined,
    callTimeoutMs: 1_000,
    ...more,
  };
  const calls = new PageCalls({ fabric, config, ledger, heads, logger: silentLogger });
  const caller = calls.callerOf('s1', { context: null, identity: 'ann' }, '10.0.0.1');
  const outcomes: CallOutcome[] = [];
  const make = (call: Partial<PageCall> = {}) =>
    calls.run(
      {
        functionId: 'app::f',
        payload: JsonPayload.ofValue({}),
        idempotencyKey: undefined,
        repeatedAfterMs: undefined,
        timeoutMs: undefined,
        inexactNumbers: false,
        chars: 10,
        ...call,
      },
      caller,
      (outcome) => void outcomes.push(outcome),
    );
  return { fabric, running, cancelled: () => cancelled, serve, ledger, calls, caller, outcomes, make };
}
