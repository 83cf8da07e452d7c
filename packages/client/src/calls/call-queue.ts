import { CALL_CONFIRMS } from '@rivulet/protocol';
import { StreamError } from '../access/stream-error.js';
import type { Clock } from '../connection/clock.js';
import { type Call, type ErrorOf, type Moment, sizeOf } from './call.js';
import type { CallOutcome } from './call-overlay.js';
import type { CallsOptions } from './call-types.js';

/** The most calls of one connection that the engine has not answered, and their bytes. Further calls wait, so the engine refuses none. */
const MOST_IN_FLIGHT = 32;
const MOST_BYTES_IN_FLIGHT = 524_288;
/** The milliseconds by which the answer of the engine may be late. A dead connection is found earlier, and then the call is sent again. */
const GRACE_MS = 15_000;
/** The milliseconds after which calls that the engine refused for the moment are sent again. */
const AGAIN_MS = 500;

export type QueueBounds = CallsOptions & Required<Omit<CallsOptions, 'persist'>>;

/**
 * The calls of a client that have no answer yet, in the order in which they were made. Sends those that wait, the oldest one first, as far
 * as the open connection has places. Every call here has a timer: for its answer, or for the connection that it waits for.
 */
export class CallQueue {
  readonly #clock: Clock;
  readonly #bounds: QueueBounds;
  readonly #onSend: () => void;
  /** By id, in the order in which the calls were made. */
  #calls = new Map<string, Call>();
  /** Sends on the open connection. `undefined`: there is none, or its engine stops and takes no calls. */
  #send: ((text: string) => void) | undefined;
  /** Runs until calls that the engine refused for the moment are sent again. */
  #pause: unknown;
  /** Whether the kept calls are read. No call is sent before them. */
  isLoading = false;

  /** `onSend` is called before each sending. */
  constructor(clock: Clock, bounds: QueueBounds, onSend: () => void) {
    this.#clock = clock;
    this.#bounds = bounds;
    this.#onSend = onSend;
  }

  get(id: string): Call | undefined {
    return this.#calls.get(id);
  }

  /** Returns the calls whose answer the open connection owes, or those that wait. */
  list(isInFlight: boolean): Call[] {
    return [...this.#calls.values()].filter((call) => call.isInFlight === isInFlight);
  }

  /** Adds a new call and sends it if it can. Otherwise it waits, within the bounds. */
  add(call: Call): void {
    const { maxQueued, maxQueuedBytes } = this.#bounds;
    const waiting = this.list(false);
    this.#calls.set(call.id, call);
    if (call.groups.length > CALL_CONFIRMS)
      return this.fail(call, () => new StreamError('INVALID_OPTIONS', `a call names or changes at most ${CALL_CONFIRMS} groups`));
    if (call.bytes > maxQueuedBytes)
      return this.fail(call, () => new StreamError('VALUE_TOO_LARGE', `a call has at most ${maxQueuedBytes} bytes (calls.maxQueuedBytes)`));
    this.flush();
    if (call.isInFlight || call.settle === undefined) return;
    if (waiting.length >= maxQueued || sizeOf(waiting) + call.bytes > maxQueuedBytes)
      this.fail(call, () => new StreamError('QUEUE_FULL', 'too many calls wait: wait for earlier ones, or raise the bounds in `calls`'));
    else this.wait(call);
  }

  /** Adds calls that were made before all others. */
  addFirst(calls: readonly Call[]): void {
    this.#calls = new Map([...calls.map((call) => [call.id, call] as const), ...this.#calls]);
    for (const call of calls) this.wait(call);
  }

  onOpen(send: (text: string) => void): void {
    this.#send = send;
    this.flush();
  }

  /** Lets the unanswered calls wait again, and returns them. `isUnread`: the engine has read none, so this sending does not count. */
  onLost(isUnread: boolean): readonly Call[] {
    this.stop();
    this.#clock.clearTimer(this.#pause);
    this.#pause = undefined;
    const flying = this.list(true);
    for (const call of flying) {
      if (isUnread) call.sent = call.sentBefore;
      if (call.settle === undefined) this.end(call);
      else this.wait(call);
    }
    return flying;
  }

  /** Sends nothing more on this connection. */
  stop(): void {
    this.#send = undefined;
  }

  /** Sends nothing for a moment. */
  pause(): void {
    this.#pause ??= this.#clock.setTimer(() => {
      this.#pause = undefined;
      this.flush();
    }, AGAIN_MS);
  }

  /** Sends the calls that wait. */
  flush(): void {
    if (this.#send === undefined || this.isLoading || this.#pause !== undefined) return;
    const flying = this.list(true);
    let places = MOST_IN_FLIGHT - flying.length;
    let bytes = sizeOf(flying);
    for (const call of this.list(false)) {
      if (this.#elapsed(call.made) >= this.#bounds.maxAgeMs) this.#late(call);
      else {
        bytes += call.bytes;
        if (places-- <= 0 || (bytes > call.bytes && bytes > MOST_BYTES_IN_FLIGHT)) return;
        this.#transmit(call, this.#send);
      }
    }
  }

  /** Lets a call wait for its next sending. */
  wait(call: Call): void {
    call.isInFlight = false;
    this.#arm(call, Math.max(0, this.#bounds.maxAgeMs - this.#elapsed(call.made)));
  }

  failAll(errorOf: ErrorOf): void {
    for (const call of this.#calls.values()) {
      call.isInFlight = false;
      this.fail(call, errorOf);
    }
  }

  /** Ends a call with an error. A call in flight keeps its place until the answer comes. */
  fail(call: Call, errorOf: ErrorOf): void {
    const state = call.sent === undefined ? 'the call was not sent' : 'the call was sent and may have taken effect';
    const error = errorOf(state);
    this.#settle(call, { kind: 'error', error, positions: [] });
  }

  /** Ends a call that the connection owes no answer. */
  end(call: Call, outcome?: CallOutcome): void {
    call.isInFlight = false;
    this.#settle(call, outcome);
  }

  #settle(call: Call, outcome?: CallOutcome): void {
    // The timer goes on as long as the call takes a place on the connection.
    if (!call.isInFlight) {
      this.#clock.clearTimer(call.timer);
      this.#calls.delete(call.id);
    }
    const { settle } = call;
    call.settle = undefined;
    if (outcome !== undefined) settle?.(outcome);
  }

  #transmit(call: Call, send: (text: string) => void): void {
    call.sentBefore = call.sent;
    const repeated = call.sent === undefined ? '' : `"repeatedAfterMs":${Math.ceil(this.#elapsed(call.sent))},`;
    if (call.sent === undefined) call.overlay?.sent(call.id);
    call.sent ??= { steady: this.#clock.now(), wall: Date.now() };
    call.isInFlight = true;
    this.#arm(call, call.timeoutMs + GRACE_MS);
    this.#onSend();
    send(`{"type":"call","data":{${repeated}${call.tail}`);
  }

  #arm(call: Call, ms: number): void {
    this.#clock.clearTimer(call.timer);
    call.timer = this.#clock.setTimer(() => this.#late(call), ms);
  }

  #late(call: Call): void {
    const { isInFlight } = call;
    const [code, what] = isInFlight
      ? ['TIMEOUT', 'no answer came in time']
      : [call.sent === undefined ? 'NOT_SENT' : 'OUTCOME_UNKNOWN', 'the call waited too long for a connection'];
    // An engine would have answered by now. A server without calls never does, and must not keep the place.
    call.isInFlight = false;
    this.fail(call, (state) => new StreamError(code, `${what}; ${state}`));
    if (isInFlight) this.flush();
  }

  /** Returns the milliseconds since a moment, by the clock that has gone further. */
  #elapsed({ steady, wall }: Moment): number {
    return Math.max(this.#clock.now() - steady, Date.now() - wall);
  }
}
