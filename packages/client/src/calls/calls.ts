import { type StreamCallErrorFrame, type StreamResultFrame, wrongOption } from '@rivulet/protocol';
import { StreamError } from '../access/stream-error.js';
import { aborted, type Call, distinct, newCall, randomKey, toJson } from './call.js';
import type { KeptCall } from './call-keeper.js';
import type { CallOverlay, ConfirmedGroup } from './call-overlay.js';
import { CallQueue, type QueueBounds } from './call-queue.js';
import { CALL_RULES, CALLS_RULES, type CallOptions, type CallsOptions } from './call-types.js';
import { type QuestionLink, ServerQuestion } from './server-question.js';

const TIMEOUT_MS = 30_000;
/** The milliseconds for which reading the kept calls may delay other calls. */
const LOAD_MS = 2_000;
/**
 * The milliseconds after a reconnect in which a function may be missing. An engine that was restarted may have its clients back before its
 * workers. So the client sends a call again that was made before the reconnect.
 */
const WORKERS_BACK_MS = 5_000;
/** The milliseconds after a reconnect in which a call that was sent before is sent again to an engine that is busy. */
const BUSY_MS = 30_000;
/** The close code of an engine that got a message above its bound. */
const TOO_LARGE = 1009;

/** The services of the client that calls need. */
export interface CallsLink extends QuestionLink {
  /** Shows optimistic changes. `undefined`: the client does not have that part. */
  readonly overlay: CallOverlay | undefined;
  readonly report: (error: StreamError) => void;
  /** Makes the connection if there is none. Throws `CLOSED`. */
  connect(): void;
  /** Sends the joins that wait for the end of the turn. The answer to a call has positions only of groups that are joined before it. */
  flushJoins(): void;
}

/**
 * The calls of a client.
 *
 * ```
 *   made ──► waiting ──► in flight ──► settled      each call is settled exactly once
 *               ▲            │
 *               └────────────┘  the connection is lost, or its engine stops
 * ```
 *
 * Every call has an idempotency key. A call that waits again is sent with the same key, and with the time since it was sent first. From
 * both the engine knows whether the function may run (RV-63). So a call takes effect at most once.
 */
export class Calls {
  readonly #link: CallsLink;
  readonly #options: QueueBounds;
  readonly #queue: CallQueue;
  readonly question: ServerQuestion;
  #ids = 0;
  #connections = 0;
  #openedAt = 0;
  /** Ends the reading of the kept calls. `undefined`: they are not read yet. `null`: the client is closed. */
  #loading: unknown;

  constructor(link: CallsLink, options: CallsOptions = {}) {
    const wrong = wrongOption(options, CALLS_RULES);
    if (wrong !== undefined) throw new StreamError('INVALID_OPTIONS', wrong);
    this.#link = link;
    this.#options = { maxQueued: 100, maxQueuedBytes: 262_144, maxAgeMs: 600_000, ...options };
    this.question = new ServerQuestion(link);
    const isDue = () => this.#queue.list(true).length > 0;
    this.#queue = new CallQueue(link.clock, this.#options, () => {
      if (!this.question.isKnown) this.question.askLater(isDue);
    });
  }

  /** Makes a call. Rejects with a `StreamError`. */
  call(functionId: string, payload: unknown, options: CallOptions = {}): Promise<unknown> {
    // An error that is thrown in here rejects the promise.
    return new Promise((resolve, reject) => {
      this.#link.connect();
      const wrong = wrongOption(options, CALL_RULES);
      if (wrong !== undefined) throw new StreamError('INVALID_OPTIONS', wrong);
      const { signal, optimistic, timeoutMs = TIMEOUT_MS, confirm = [], idempotencyKey: key = randomKey() } = options;
      const overlay = optimistic && this.#link.overlay;
      if (optimistic && !overlay)
        throw new StreamError(
          'INVALID_OPTIONS',
          '`optimistic` needs a part: import it from @rivulet/client/optimistic, and give it to connect',
        );
      if (signal?.aborted) throw aborted(signal, 'the call was not sent');
      // A payload that is no JSON must fail before the overlay begins.
      const kept: KeptCall = { key, functionId, data: toJson(payload), timeoutMs, madeAt: Date.now() };
      const id = this.#nextId();
      const groups = distinct(optimistic && overlay ? [...confirm, ...overlay.begin(id, optimistic)] : confirm);
      const { persist } = this.#options;
      const abort = () => this.#queue.fail(call, (state) => aborted(signal, state));
      const call = newCall(id, kept, this.#link.clock.now(), groups, overlay, (outcome) => {
        signal?.removeEventListener('abort', abort);
        overlay?.settled(id, outcome);
        persist?.remove(key);
        if (outcome.kind === 'result') resolve(outcome.result);
        else reject(outcome.error);
      });
      signal?.addEventListener('abort', abort);
      persist?.add(kept);
      this.#link.flushJoins();
      this.#queue.add(call);
    });
  }

  /** Reads the kept calls, once, and sends them before all others. */
  load(): void {
    const { persist } = this.#options;
    const { clock, report } = this.#link;
    if (persist === undefined || this.#loading !== undefined) return;
    const end = () => {
      clock.clearTimer(this.#loading);
      this.#queue.isLoading = false;
      this.#queue.flush();
    };
    this.#queue.isLoading = true;
    this.#loading = clock.setTimer(end, LOAD_MS);
    persist
      .load(report)
      .then((kept) => {
        if (this.#loading === null) return;
        this.#queue.addFirst(kept.map((each) => this.#restored(each)));
        end();
      })
      .catch((cause: unknown) => report(new StreamError('PERSIST_FAILED', 'the kept calls can not be read', { cause })));
  }

  /** Sends the calls that wait. The client calls this after it has sent the joins. */
  onOpen(send: (text: string) => void): void {
    this.#connections++;
    this.#openedAt = this.#link.clock.now();
    this.#queue.onOpen(send);
  }

  /** `isUnread`: the engine has read nothing of what was sent on the connection. */
  onLost(code: number, isUnread: boolean): void {
    this.question.onLost();
    const flying = [...this.#queue.onLost(isUnread)];
    if (code !== TOO_LARGE) return;
    // One of these calls is above the bound of the engine. It would end each further connection too.
    const [largest] = flying.sort((one, other) => other.bytes - one.bytes);
    if (largest !== undefined)
      this.#queue.fail(largest, () => new StreamError('MESSAGE_TOO_LARGE', 'the call is above the bound of the engine'));
  }

  onAnswer(frame: StreamResultFrame | StreamCallErrorFrame): void {
    this.question.isKnown = true;
    const call = this.#queue.get(frame.callId);
    if (!call?.isInFlight) return;
    // A function may have codes of its own that are also those of the engine.
    const refusal = frame.type === 'call_error' && frame.ran !== true ? frame.code : undefined;
    // An earlier sending may have run, of which a busy engine knows nothing.
    const isBusy = refusal === 'OVERLOADED' && call.sentBefore !== undefined;
    if (refusal !== undefined && call.settle !== undefined && this.#isPassing(refusal, call)) {
      call.sent = call.sentBefore;
      this.#queue.wait(call);
      return;
    }
    const positions = call.groups.map(({ stream, group }, index): ConfirmedGroup => {
      const at = frame.positions[index];
      return { stream, group, position: at && { epoch: at.epoch, offset: at.offset } };
    });
    if (frame.type === 'result') this.#queue.end(call, { kind: 'result', result: frame.result, positions });
    else {
      const { code, message, errorId } = frame;
      const error = isBusy
        ? new StreamError('OUTCOME_UNKNOWN', `the call was sent before and may have taken effect; ${message}`)
        : new StreamError(code, message, { errorId });
      this.#queue.end(call, { kind: 'error', error, positions });
    }
    this.#queue.flush();
  }

  /** The engine has answered the join that follows the question. So it has not answered the question, which came first. */
  onNoAnswer(): void {
    if (!this.question.isKnown)
      this.#queue.failAll(() => new StreamError('CALLS_UNSUPPORTED', 'the server is of a version that has no calls'));
  }

  /** Rejects all calls, because an error ends the wait for a connection. */
  onEnd({ code, message }: StreamError): void {
    // The kept calls stay for the next client.
    if (code === 'CLOSED') {
      this.#options.persist?.close();
      this.#link.clock.clearTimer(this.#loading);
      this.#loading = null;
    }
    this.#queue.failAll((state) => new StreamError(code, `${message}; ${state}`));
  }

  /** Returns whether the engine did nothing, and another try may succeed. Stops the sending until then. */
  #isPassing(code: string, call: Call): boolean {
    const isMissing = code === 'function_not_found' && this.#connections > 1 && call.made.steady < this.#openedAt;
    // The engine refuses all later calls too, and ends the connection.
    if (code === 'ENGINE_STOPPING') this.#queue.stop();
    else if (isMissing || (code === 'OVERLOADED' && call.sentBefore !== undefined)) {
      if (this.#link.clock.now() - this.#openedAt >= (isMissing ? WORKERS_BACK_MS : BUSY_MS)) return false;
      this.#queue.pause();
    } else return false;
    return true;
  }

  #restored(kept: KeptCall): Call {
    // If the wall clock was set back, the age of the call is unknown, and the call is too old.
    const madeAt = kept.madeAt > Date.now() ? Number.NEGATIVE_INFINITY : kept.madeAt;
    const call = newCall(this.#nextId(), { ...kept, madeAt }, this.#link.clock.now(), [], undefined, (outcome) => {
      this.#options.persist?.remove(kept.key, { call: kept, ...outcome });
    });
    // Nothing says whether the earlier page has sent it.
    call.sent = call.made;
    return call;
  }

  #nextId(): string {
    return `c${++this.#ids}`;
  }
}
