import { type ErrorBody, type ErrorCode, LIMITS } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { FunctionFabric } from '../../core/fabric/function-fabric.js';
import { Exposure } from '../../core/workers/access/exposure.js';
import type { Logger } from '../../logging/logger.js';
import { newPageCallCounts } from './call-counts.js';
import type { CallLedger, CallOutcome } from './call-ledger.js';
import { forbidden } from './call-outcomes.js';
import { FunctionWaits } from './function-waits.js';
import type { GroupHeads } from './group-heads.js';
import { type PageAccess, PageCaller } from './page-caller.js';
import { type PageCall, RunningCall } from './running-call.js';

export interface PageCallsOptions {
  readonly fabric: FunctionFabric;
  readonly config: Pick<StreamConfig, 'exposeFunctions' | 'middlewareFunction' | 'callTimeoutMs'>;
  /** Absent where nothing remembers calls. */
  readonly ledger?: CallLedger | undefined;
  readonly heads: GroupHeads;
  readonly logger: Logger;
}

/** A call that has no outcome yet. */
export interface LeavableCall {
  /** Ends the wait of the caller. The outcome is not reported any more. `isRevoked`: the access of the caller has ended. */
  leave(isRevoked: boolean): void;
}

const ENDED: LeavableCall = { leave() {} };

/**
 * The calls of all stream clients of one engine. Decides which calls are made, bounds them, and runs them. The calls of a session and those
 * of plain requests end here.
 */
export class PageCalls {
  readonly counts = newPageCallCounts();
  readonly heads: GroupHeads;
  readonly #options: PageCallsOptions;
  /** `undefined`: the configuration has no `expose_functions`, so nothing can be called. */
  readonly #exposure: Exposure | undefined;
  /** Running calls of each address. */
  readonly #byAddress = new Map<string, number>();
  /** Running calls of each session. */
  readonly #bySession = new Map<string, number>();
  /** Sessions that have ended, and whose calls still run. */
  readonly #left = new Set<string>();
  /** Calls and decisions that wait for workers. The waits end when the engine stops. */
  readonly waits: FunctionWaits;
  #stopping = false;
  #idle: (() => void) | undefined;

  constructor(options: PageCallsOptions) {
    const { exposeFunctions } = options.config;
    this.#options = options;
    this.heads = options.heads;
    this.waits = new FunctionWaits(options.fabric);
    if (exposeFunctions !== undefined) this.#exposure = new Exposure(exposeFunctions);
  }

  /** Returns a session as a caller. Functions of workers that act for it learn its name until `forget`. */
  callerOf(sessionId: string, access: PageAccess, address: string): PageCaller {
    const { fabric } = this.#options;
    const caller = new PageCaller({ sessionId, address }, access, this.#exposure ?? NOTHING_EXPOSED, fabric.functions);
    fabric.pages.set(sessionId, caller.card);
    return caller;
  }

  /** Forgets the name of a session that has ended, after its last call. A function that still runs may pass the name on. */
  forget(sessionId: string): void {
    if (this.#bySession.has(sessionId)) this.#left.add(sessionId);
    else this.#options.fabric.pages.delete(sessionId);
  }

  /**
   * Makes a call. `done` runs exactly once, perhaps before this returns, unless the caller leaves. `ended` runs exactly once, when the
   * engine has forgotten the call: perhaps before this returns, and perhaps long after `done`.
   */
  run(call: PageCall, caller: PageCaller, done: (outcome: CallOutcome) => void, ended?: () => void): LeavableCall {
    const { counts } = this;
    const refusal = this.#refusal(call, caller);
    if (refusal !== undefined) {
      const isUnknown = refusal.code === 'FORBIDDEN' && call.repeatedAfterMs !== undefined;
      counts.ended[isUnknown ? 'unknown' : 'refused']++;
      done({ kind: 'error', error: isUnknown ? unknownRepeat(refusal) : refusal });
      ended?.();
      return ENDED;
    }
    const { fabric, ledger, logger, config } = this.#options;
    // Functions of the engine pass no middleware, as on worker listeners.
    const middleware = call.functionId.startsWith('engine::') ? undefined : config.middlewareFunction;
    const { chars } = call;
    this.#count(caller, chars, 1);
    const running = new RunningCall(
      { fabric, ledger, middleware, timeoutMs: config.callTimeoutMs, waits: this.waits, counts, logger },
      call,
      caller,
      done,
      () => {
        this.#count(caller, -chars, -1);
        ended?.();
        if (counts.running === 0) this.#idle?.();
      },
    );
    running.begin();
    return running;
  }

  /** Refuses new calls from now on, because the engine stops. */
  refuseAll(): void {
    this.#stopping = true;
    this.waits.stop();
  }

  /** Resolves when no call runs, or after `milliseconds` of the real time: the clock of the engine may stand still while it stops. */
  async whenIdle(milliseconds: number): Promise<void> {
    if (this.counts.running === 0) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#idle = undefined;
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      this.#idle = end;
    });
  }

  #count({ address, workerId }: PageCaller, chars: number, calls: 1 | -1): void {
    this.counts.running += calls;
    this.counts.chars += chars;
    add(this.#byAddress, address, calls);
    if (add(this.#bySession, workerId, calls) === 0 && this.#left.delete(workerId)) this.#options.fabric.pages.delete(workerId);
  }

  /** Returns why a call is not made; `undefined` when it may be made. */
  #refusal({ functionId, chars }: PageCall, { access, workerId, address }: PageCaller): ErrorBody | undefined {
    const { logger } = this.#options;
    if (this.#stopping) return refused('ENGINE_STOPPING', 'the engine is stopping and did nothing; call again on the next connection');
    if (this.#exposure === undefined || !(access.mayCall(functionId) || access.mayBecomeCallable(functionId))) {
      logger.debug('call_refused', { function: functionId, session: workerId });
      return forbidden(functionId);
    }
    const { running, chars: all } = this.counts;
    if (running >= LIMITS.clientCalls || (running > 0 && all + chars > LIMITS.clientCallChars))
      return refused('OVERLOADED', 'too many calls of all clients are unanswered; call again later');
    if ((this.#byAddress.get(address) ?? 0) >= LIMITS.clientCallsPerAddress)
      return refused('OVERLOADED', 'too many calls of clients at this address are unanswered; call again later');
    return undefined;
  }
}

const NOTHING_EXPOSED = new Exposure([]);

/** Adds to a count, and returns the sum. A count of 0 has no entry. */
function add(counts: Map<string, number>, key: string, by: 1 | -1): number {
  const sum = (counts.get(key) ?? 0) + by;
  if (sum === 0) counts.delete(key);
  else counts.set(key, sum);
  return sum;
}

function refused(code: ErrorCode, message: string): ErrorBody {
  return { code, message };
}

/** An earlier sending may have run before the rights changed. A client that takes FORBIDDEN for "did not run" would call twice. */
function unknownRepeat({ message }: ErrorBody): ErrorBody {
  return { code: 'OUTCOME_UNKNOWN', message: `an earlier sending of this call may have run, and this one was refused: ${message}` };
}
