import {
  type ErrorCode,
  encodeCallError,
  encodeCallResult,
  encodeControl,
  type GroupPosition,
  LIMITS,
  type StreamCall,
} from '@rivulet/protocol';
import { JsonPayload } from '../../core/fabric/invocation.js';
import type { GroupRef } from '../../store/store.js';
import { encodeTextFrame } from '../../transport/websocket-frame.js';
import type { CallOutcome } from './call-ledger.js';
import type { PageAccess, PageCaller } from './page-caller.js';
import type { LeavableCall, PageCalls } from './page-calls.js';
import { StartOrder } from './start-order.js';

/** The session that calls. */
export interface CallingSession {
  readonly sessionId: string;
  readonly remoteAddress: string;
  /** The auth decision that counts now. A refresh replaces it. */
  readonly access: PageAccess;
  /** Returns whether the session watches a group, or an item of it, now. */
  watches(ref: GroupRef): boolean;
  /** Lets the client know that it has all changes of what it watches up to a position, if that is so. */
  confirm(position: GroupPosition): void;
}

/** The socket of that session. */
export interface AnswerSocket {
  /** Writes a frame when the socket takes it, and resolves then. Resolves also when the session has ended. */
  writeWhenReady(frame: Buffer): Promise<void>;
  /** Closes the connection, because its client does not read its answers. */
  overrun(): void;
  /** Runs a task that nobody awaits. Its failure closes the connection. */
  inBackground(work: Promise<void>, task: string): void;
}

/** A call of the session that is unanswered or still runs. The bounds count it until both have ended. */
interface Place {
  readonly chars: number;
  isUnanswered: boolean;
  isRunning: boolean;
  /** `undefined` when the call has ended. */
  call: LeavableCall | undefined;
}

/** The calls of one stream client. A session has none until its first call. */
export class SessionCalls {
  readonly #calls: PageCalls;
  readonly #socket: AnswerSocket;
  readonly #session: CallingSession;
  readonly #order = new StartOrder();
  readonly #unanswered = new Set<string>();
  readonly #places = new Set<Place>();
  /** Text length of the frames of these calls. */
  #chars = 0;
  /** Answers to frames that are no calls in flight: refused and malformed ones. */
  #refusals = 0;
  /** Bytes of the answers that the socket has not taken. */
  #waitingBytes = 0;
  #caller: PageCaller | undefined;
  #access: PageAccess | undefined;
  #open = true;

  constructor(calls: PageCalls, socket: AnswerSocket, session: CallingSession) {
    this.#calls = calls;
    this.#socket = socket;
    this.#session = session;
  }

  /** Calls that the client waits for. */
  get unanswered(): number {
    return this.#unanswered.size;
  }

  /** Makes a call and sends its answer. `chars`: length of the frame's text. */
  make(message: StreamCall, chars: number): void {
    const { callId, functionId, data, idempotencyKey, repeatedAfterMs, confirm, timeoutMs, inexactNumbers } = message;
    if (this.#unanswered.has(callId))
      return this.refuse(undefined, 'INVALID_ARGUMENTS', 'a call with this callId is unanswered; choose another');
    const isFull = this.#places.size >= LIMITS.clientInFlightCalls;
    if (isFull || (this.#places.size > 0 && this.#chars + chars > LIMITS.clientInFlightChars))
      return this.refuse(callId, 'OVERLOADED', 'too many calls of this connection are unanswered or still run; wait for answers');
    const place: Place = { chars, isUnanswered: true, isRunning: true, call: undefined };
    this.#unanswered.add(callId);
    this.#places.add(place);
    this.#chars += chars;
    const payload = JsonPayload.ofValue(data);
    const order = this.#order;
    const call = { functionId, payload, idempotencyKey, repeatedAfterMs, timeoutMs, inexactNumbers, chars, order };
    // The callback keeps these names only, and not the payload.
    const answer = (outcome: CallOutcome) => this.#socket.inBackground(this.#answer(callId, place, confirm, outcome), 'stream_call');
    const running = this.#calls.run(call, this.#callerNow(), answer, () => {
      place.isRunning = false;
      place.call = undefined;
      this.#free(place);
    });
    if (place.isRunning) place.call = running;
  }

  /** Refuses a frame. `callId` is `undefined` when the frame has none that an answer could name. */
  refuse(callId: string | undefined, code: ErrorCode, message: string): void {
    if (!this.#open) return;
    // A client that floods the engine and reads nothing gets no further answers.
    if (this.#refusals >= LIMITS.clientInFlightCalls) return this.#socket.overrun();
    const text =
      callId === undefined ? encodeControl({ type: 'error', data: { code, message } }) : encodeCallError(callId, { code, message });
    this.#refusals++;
    this.#socket.inBackground(this.#sendRefusal(encodeTextFrame(text)), 'stream_call');
  }

  async #sendRefusal(frame: Buffer): Promise<void> {
    await this.#socket.writeWhenReady(frame);
    this.#refusals--;
  }

  /** Drops the answers, because the session has ended. Calls with a key go on. `isRevoked`: the access has ended too. */
  close(isRevoked: boolean): void {
    this.#open = false;
    const places = [...this.#places];
    this.#unanswered.clear();
    this.#places.clear();
    for (const { call } of places) call?.leave(isRevoked);
    if (this.#caller !== undefined) this.#calls.forget(this.#session.sessionId);
  }

  async #answer(callId: string, place: Place, confirm: StreamCall['confirm'], outcome: CallOutcome): Promise<void> {
    const positions = confirm.length === 0 ? [] : await this.#calls.heads.read(confirm, (ref) => this.#session.watches(ref));
    if (!this.#open) return;
    for (const position of positions) if (position !== undefined) this.#session.confirm(position);
    const frame = this.#frame(callId, outcome, positions);
    this.#waitingBytes += frame.length;
    await this.#socket.writeWhenReady(frame);
    this.#waitingBytes -= frame.length;
    this.#unanswered.delete(callId);
    place.isUnanswered = false;
    this.#free(place);
  }

  /** Frees the place of a call that is answered and has ended. A call with a key may run for long after TIMEOUT. */
  #free(place: Place): void {
    if (!place.isUnanswered && !place.isRunning && this.#places.delete(place)) this.#chars -= place.chars;
  }

  #frame(callId: string, outcome: CallOutcome, positions: readonly (GroupPosition | undefined)[]): Buffer {
    if (outcome.kind === 'error') return encodeTextFrame(encodeCallError(callId, outcome.error, positions, outcome.ran));
    const frame = encodeTextFrame(encodeCallResult(callId, outcome.text, positions));
    if (this.#waitingBytes === 0 || this.#waitingBytes + frame.length <= LIMITS.callAnswerBytes) return frame;
    // The function has run, so no code may say that it did not (RV-61).
    const message = 'this client does not read its answers, so its result was dropped; read them, and then the data, before you call again';
    return encodeTextFrame(encodeCallError(callId, { code: 'OUTCOME_UNKNOWN', message }, positions));
  }

  /** Returns the caller with the access that counts now. */
  #callerNow(): PageCaller {
    const { access, sessionId, remoteAddress } = this.#session;
    if (this.#caller === undefined || this.#access !== access) {
      this.#access = access;
      this.#caller = this.#calls.callerOf(sessionId, access, remoteAddress);
    }
    return this.#caller;
  }
}
