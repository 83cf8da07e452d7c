import type { CallArguments } from '../calls/call-types.js';
import type { CallOptions, Draft, StreamClient, StreamError } from '../index.js';
import { Listeners } from '../subscription/listeners.js';
import type { Store } from './view-store.js';

/** The calls of one component to one function. They may run at the same time. */
export interface CallStatus<Result> {
  /** Whether at least one call waits for its answer. */
  readonly pending: boolean;
  /** The error of the call that failed last. A new call clears it, and so does `reset`. */
  readonly error: StreamError | undefined;
  /** The result of the newest call that has one. */
  readonly result: Result | undefined;
}

/** The options that all calls of a component have in common. */
export interface CallDefaults<Payload, Streams = unknown> extends Omit<CallOptions<Streams>, 'optimistic' | 'signal' | 'idempotencyKey'> {
  /**
   * Shows the effect of a call at once, as the option `optimistic` of `call` does.
   * @default none
   */
  readonly optimistic?: (draft: Draft<Streams>, payload: Payload) => void;
}

export interface CallActions<Payload, Result, Streams = unknown> {
  /**
   * Calls the function. The page may ignore the promise, because `error` has the failure too. The call goes on when the component is
   * removed.
   */
  readonly call: (...args: CallArguments<Payload, Streams>) => Promise<Result>;
  /** Forgets the error and the result. */
  readonly reset: () => void;
}

export interface CallStore<Payload, Result> extends Store<CallStatus<Result>> {
  readonly actions: CallActions<Payload, Result>;
}

export const NO_CALLS = { pending: false, error: undefined, result: undefined };

/** Returns the calls of one component to one function: counts them, and keeps how they ended. `defaults` is read for each call. */
export function callStore<Payload, Result>(
  client: StreamClient,
  name: string,
  defaults: () => CallDefaults<Payload>,
): CallStore<Payload, Result> {
  const changes = new Listeners<void>();
  let status: CallStatus<Result> = NO_CALLS;
  let waiting = 0;
  let started = 0;
  /** The number of the call whose result is shown. */
  let shown = 0;
  const show = (change: Partial<CallStatus<Result>>) => {
    status = { ...status, ...change, pending: waiting > 0 };
    changes.emit();
  };
  const end = (change: Partial<CallStatus<Result>>) => {
    waiting--;
    show(change);
  };
  const call = (payload: Payload, options?: CallOptions): Promise<Result> => {
    const { optimistic, ...common } = defaults();
    const change = optimistic && { optimistic: (draft: Draft) => optimistic(draft, payload) };
    const answer = client.call<Result>(name, payload, { ...common, ...change, ...options });
    const turn = ++started;
    waiting++;
    show({ error: undefined });
    // Both ends are handled here, so a promise that the page ignores is no unhandled rejection.
    answer.then(
      (result) => {
        if (turn < shown) end({});
        else {
          shown = turn;
          end({ result });
        }
      },
      (error: StreamError) => end({ error }),
    );
    return answer;
  };
  return {
    subscribe: (changed) => changes.add(changed),
    snapshot: () => status,
    // The types of `call` say whether the payload may be left out.
    actions: { call: call as CallActions<Payload, Result>['call'], reset: () => show(NO_CALLS) },
  };
}
