import { type ErrorBody, type ErrorCode, type JsonText, LIMITS, RivuletError } from '@rivulet/protocol';
import { AnsweredError } from '../../core/builtins/answer.js';
import type { Fabric } from '../../core/fabric/fabric.js';
import { JsonPayload, type Outcome } from '../../core/fabric/invocation.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import { LateReplies } from './late-replies.js';

/** What a worker can serve of a stream, each as a function `stream::<operation>(<stream>)` (spec ST §2.9). */
export type BackendOperation = 'get' | 'set' | 'delete' | 'list' | 'list_groups' | 'update';

const OPERATIONS: readonly BackendOperation[] = ['get', 'set', 'delete', 'list', 'list_groups', 'update'];

export interface BackendLimits {
  readonly backendTimeoutMs: number;
  readonly backendGraceMs: number;
  readonly backendFallback: boolean;
}

/** The code of a failure that the caller sees as one of the stream function; failures of reads keep the code of the worker. */
export const WRITE_ERRORS = { set: 'STREAM_SET_ERROR', delete: 'STREAM_DELETE_ERROR', update: 'STREAM_UPDATE_ERROR' } as const;
const TIMEOUT_ERRORS = {
  ...WRITE_ERRORS,
  get: 'STREAM_GET_ERROR',
  list: 'STREAM_GET_GROUP_ERROR',
  list_groups: 'STREAM_LIST_GROUPS_ERROR',
} as const satisfies Record<BackendOperation, ErrorCode>;

/** A call that is a part of what a caller asked for. */
export interface CallOptions {
  readonly of: BackendOperation;
  /** In monotonic milliseconds. Default: `backendTimeoutMs` from now. */
  readonly deadline?: number;
  /**
   * Runs when the worker may have done what it was asked though the call failed: it answers after its time, or what can't be read. One
   * that refuses or is gone has not; when it comes back, `onMove` tells.
   */
  readonly onUncertain?: () => void;
}

/** Of what a `sync` is read from. */
const READ_FUNCTION = /^stream::(?:get|list)\((.*)\)$/su;

/** A stream that a worker has served in this process. */
interface Served {
  readonly operations: Set<BackendOperation>;
  /** When they were first found missing, in monotonic milliseconds; `undefined` while one of them is there. */
  missingSince: number | undefined;
}

/**
 * Which streams are served by workers, and the calls to them. It is decided for each operation: one that no worker has registered is the
 * store's. One that a worker has served is never taken over silently by the store, which doesn't have what the worker holds.
 */
export class WorkerBackends {
  readonly #fabric: Fabric;
  readonly #limits: BackendLimits;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #served = new Map<string, Served>();
  /** In this turn. */
  readonly #moved = new Set<string>();
  readonly #late = new LateReplies();
  #onMove: (stream: string) => void = () => {};

  constructor(fabric: Fabric, limits: BackendLimits, clock: Clock, logger: Logger) {
    this.#fabric = fabric;
    this.#limits = limits;
    this.#clock = clock;
    this.#logger = logger;
    fabric.onServed((id) => {
      const stream = READ_FUNCTION.exec(id)?.[1];
      if (stream !== undefined) this.#move(stream);
    });
  }

  /** Whether a worker serves the operation; throws STREAM_BACKEND_UNAVAILABLE when one did and is gone. */
  serves(operation: BackendOperation, stream: string): boolean {
    const served = this.#served.get(stream);
    if (this.#fabric.newestNamespace(functionId(operation, stream)) !== undefined) {
      this.#remember(stream, served);
      return true;
    }
    if (served === undefined || !served.operations.has(operation)) return false;
    if (this.#isGivenUp(stream, served)) return false;
    throw new RivuletError(
      'STREAM_BACKEND_UNAVAILABLE',
      `the worker that serves ${functionId(operation, stream)} is not connected; start it again`,
    );
  }

  /** The streams that workers have served, also those whose worker is away. */
  get streams(): readonly string[] {
    return [...this.#served.keys()];
  }

  /**
   * `listener` runs when what a `sync` of the stream is read from is elsewhere than before: a worker begins to serve it, takes it over
   * from another, or was given up. Once for each turn; it must not throw.
   */
  onMove(listener: (stream: string) => void): void {
    this.#onMove = listener;
  }

  /** When what is asked for now must have ended, in monotonic milliseconds. */
  get deadline(): number {
    return this.#clock.monotonic() + this.#limits.backendTimeoutMs;
  }

  /**
   * Calls the worker; answers its result as JSON text, `undefined` for no result and for `null`, which mean the same here. After the
   * deadline it isn't called any more. `part.of`: what the caller asked for, whose error a failure is.
   */
  async call(
    operation: BackendOperation,
    stream: string,
    input: JsonText,
    part: CallOptions = { of: operation },
  ): Promise<JsonText | undefined> {
    const id = functionId(operation, stream);
    const { of, deadline = this.deadline, onUncertain } = part;
    const left = deadline - this.#clock.monotonic();
    const late = `${id} did not answer within ${this.#limits.backendTimeoutMs} ms`;
    if (left <= 0) throw new RivuletError(TIMEOUT_ERRORS[of], `${late}: it was not asked, as calls before it took all the time`);
    // The namespace of the provider: a stream belongs to no namespace.
    const asked = { functionId: id, namespace: this.#fabric.newestNamespace(id), payload: JsonPayload.ofText(input) };
    const outcome = await (onUncertain === undefined
      ? this.#fabric.request(asked, left)
      : this.#late.ask(this.#fabric, asked, left, lateOf(onUncertain)));
    if (outcome.kind === 'result') return outcome.text === 'null' ? undefined : outcome.text;
    if (outcome.kind === 'timeout') throw new RivuletError(TIMEOUT_ERRORS[of], late);
    if (mayHaveBeenDone(outcome)) onUncertain?.();
    throw failure(of, id, outcome.error);
  }

  /** Whoever serves one operation answers for all that are there now: when he goes, none of them is the store's. */
  #remember(stream: string, known: Served | undefined): void {
    if (known === undefined && this.#served.size >= LIMITS.backendStreams) {
      throw new RivuletError('OVERLOADED', `workers serve ${LIMITS.backendStreams} streams already; group them into fewer streams`);
    }
    const served = known ?? { operations: new Set(), missingSince: undefined };
    for (const operation of OPERATIONS)
      if (this.#fabric.newestNamespace(functionId(operation, stream)) !== undefined) served.operations.add(operation);
    served.missingSince = undefined;
    this.#served.set(stream, served);
  }

  /** With `backendFallback`: nothing of the stream has been served for the whole grace time. */
  #isGivenUp(stream: string, served: Served): boolean {
    if (OPERATIONS.some((operation) => this.#fabric.newestNamespace(functionId(operation, stream)) !== undefined)) return false;
    const now = this.#clock.monotonic();
    served.missingSince ??= now;
    if (!this.#limits.backendFallback || now - served.missingSince < this.#limits.backendGraceMs) return false;
    this.#logger.warn('backend_given_up', { stream, consequence: 'the store of the engine serves the stream from now on' });
    this.#served.delete(stream);
    this.#move(stream);
    return true;
  }

  #move(stream: string): void {
    if (this.#moved.size === 0)
      setImmediate(() => {
        for (const each of this.#moved) this.#onMove(each);
        this.#moved.clear();
      });
    this.#moved.add(stream);
  }
}

function functionId(operation: BackendOperation, stream: string): string {
  return `stream::${operation}(${stream})`;
}

/** The code is that of the engine for an answer that it can't take. */
function mayHaveBeenDone(outcome: Outcome): boolean {
  return outcome.kind === 'result' || (outcome.origin === 'engine' && outcome.error.code === 'deserialization_error');
}

/** Apart from the call: nothing of it is kept for a late answer. */
function lateOf(onUncertain: () => void): (outcome: Outcome | undefined) => void {
  return (outcome) => {
    if (outcome === undefined || mayHaveBeenDone(outcome)) onUncertain();
  };
}

function failure(of: BackendOperation, id: string, { code, message, ...more }: ErrorBody): Error {
  // It went between the look and the call.
  if (code === 'function_not_found') return new RivuletError('STREAM_BACKEND_UNAVAILABLE', `the worker that serves ${id} is not connected`);
  if (of === 'set' || of === 'delete' || of === 'update') {
    return new RivuletError(WRITE_ERRORS[of], `${id} failed with ${code}: ${message}`);
  }
  return new AnsweredError({ code, message, ...more });
}
