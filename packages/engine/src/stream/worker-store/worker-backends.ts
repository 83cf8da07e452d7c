import { type ErrorBody, type ErrorCode, type JsonText, LIMITS, RivuletError } from '@rivulet/protocol';
import { AnsweredError } from '../../core/builtins/answer.js';
import type { Fabric } from '../../core/fabric/fabric.js';
import { JsonPayload, type Outcome } from '../../core/fabric/invocation.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import { LateReplies } from './late-replies.js';

/** An operation that a worker can serve for a stream, by a function `stream::<operation>(<stream>)` (spec ST §2.9). */
export type BackendOperation = 'get' | 'set' | 'delete' | 'list' | 'list_groups' | 'update';

const OPERATIONS: readonly BackendOperation[] = ['get', 'set', 'delete', 'list', 'list_groups', 'update'];

export interface BackendLimits {
  readonly backendTimeoutMs: number;
  readonly backendGraceMs: number;
  readonly backendFallback: boolean;
}

/** Codes of failed writes, as the caller of the stream function gets them. A failed read keeps the code of the worker. */
export const WRITE_ERRORS = { set: 'STREAM_SET_ERROR', delete: 'STREAM_DELETE_ERROR', update: 'STREAM_UPDATE_ERROR' } as const;
const TIMEOUT_ERRORS = {
  ...WRITE_ERRORS,
  get: 'STREAM_GET_ERROR',
  list: 'STREAM_GET_GROUP_ERROR',
  list_groups: 'STREAM_LIST_GROUPS_ERROR',
} as const satisfies Record<BackendOperation, ErrorCode>;

/** Options of one call of a worker. One operation of a caller may need several calls. */
export interface CallOptions {
  /** The operation of the caller. */
  readonly of: BackendOperation;
  /** Monotonic milliseconds. @default `backendTimeoutMs` from now */
  readonly deadline?: number;
  /**
   * Runs when the call failed and the worker may have done the write: the reply came late, or could not be read. It does not run when the
   * worker refused or disconnected. After a disconnect, `onMove` runs when the worker comes back.
   */
  readonly onUncertain?: () => void;
}

/** Ids of the functions that a `sync` is read from. */
const READ_FUNCTION = /^stream::(?:get|list)\((.*)\)$/su;

/** A stream that a worker has served since the engine started. */
interface Served {
  readonly operations: Set<BackendOperation>;
  /** Monotonic milliseconds at which all operations were first found missing; `undefined` while a worker serves one of them. */
  missingSince: number | undefined;
}

/**
 * The streams that workers serve, and the calls to these workers. Each operation of a stream is decided for itself: the store serves it
 * unless a worker has registered it. When the worker of an operation disconnects, the operation fails. The store does not take it over
 * silently, because the store does not have the data of the worker.
 */
export class WorkerBackends {
  readonly #fabric: Fabric;
  readonly #limits: BackendLimits;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #served = new Map<string, Served>();
  /** Streams that moved in this turn. */
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

  /** Returns whether a worker serves the operation. Throws STREAM_BACKEND_UNAVAILABLE when its worker has disconnected. */
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

  /** Streams that workers have served, also when the worker has disconnected. */
  get streams(): readonly string[] {
    return [...this.#served.keys()];
  }

  /**
   * Sets the listener for streams whose `sync` is read from another place than before. A worker begins to serve the stream, takes it over
   * from another worker, or was given up. The listener runs once for each stream and turn, and must not throw.
   */
  onMove(listener: (stream: string) => void): void {
    this.#onMove = listener;
  }

  /** Deadline of an operation that begins now, in monotonic milliseconds. */
  get deadline(): number {
    return this.#clock.monotonic() + this.#limits.backendTimeoutMs;
  }

  /**
   * Calls the worker. Returns its result as JSON text, or `undefined` for no result and for `null`. After the deadline the worker is not
   * called. `part.of` names the operation of the caller: a failure has the code of that operation.
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
    if (left <= 0) throw new RivuletError(TIMEOUT_ERRORS[of], `${late}: it was not called, because earlier calls took all the time`);
    // A stream belongs to no namespace, so the function is called in the namespace of its provider.
    const call = { functionId: id, namespace: this.#fabric.newestNamespace(id), payload: JsonPayload.ofText(input) };
    const outcome = await (onUncertain === undefined
      ? this.#fabric.request(call, left)
      : this.#late.call(this.#fabric, call, left, lateOf(onUncertain)));
    if (outcome.kind === 'result') return outcome.text === 'null' ? undefined : outcome.text;
    if (outcome.kind === 'timeout') throw new RivuletError(TIMEOUT_ERRORS[of], late);
    if (mayHaveBeenDone(outcome)) onUncertain?.();
    throw failure(of, id, outcome.error);
  }

  /** Records all operations that workers serve now. After a disconnect none of them falls back to the store. */
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

  /** Returns whether the store takes the stream over: with `backendFallback`, when no worker has served it for the whole grace time. */
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

/** Returns whether the worker may have done the write: it succeeded, or the engine could not read the reply. */
function mayHaveBeenDone(outcome: Outcome): boolean {
  return outcome.kind === 'result' || (outcome.origin === 'engine' && outcome.error.code === 'deserialization_error');
}

/** Returns a listener for a late reply. It keeps nothing of the call. */
function lateOf(onUncertain: () => void): (outcome: Outcome | undefined) => void {
  return (outcome) => {
    if (outcome === undefined || mayHaveBeenDone(outcome)) onUncertain();
  };
}

function failure(of: BackendOperation, id: string, { code, message, ...more }: ErrorBody): Error {
  // The worker disconnected between the check and the call.
  if (code === 'function_not_found') return new RivuletError('STREAM_BACKEND_UNAVAILABLE', `the worker that serves ${id} is not connected`);
  if (of === 'set' || of === 'delete' || of === 'update') {
    return new RivuletError(WRITE_ERRORS[of], `${id} failed with ${code}: ${message}`);
  }
  return new AnsweredError({ code, message, ...more });
}
