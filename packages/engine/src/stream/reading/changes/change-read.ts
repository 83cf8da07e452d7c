import { type CloseName, formatPosition, LIMITS, type Since } from '@rivulet/protocol';
import { type Clock, type ClockTimer, type ClockTimers, systemClock, timersOf } from '../../../structures/clock.js';
import type { Hub } from '../../fanout/hub.js';
import type { Membership, Subscription } from '../../fanout/subscription.js';
import { advance, type GroupState, stateAt } from '../../frames/group-state.js';
import { controlOf, factsOf, framesOf, isOfGroup, type MessageFacts, tailOf } from '../../frames/wire-frames.js';
import { type SessionOutlet, SessionSocket, type SessionSocketDeps } from '../../session/session-socket.js';
import { type Answer, type AnswerStream, errorAnswer } from '../requests/answer.js';
import type { ReadFigures } from '../requests/read-figures.js';
import { type ReadRef, subscriptionIdOf } from '../requests/read-target.js';
import type { SharedAnswers } from './shared-answers.js';

export interface ChangeReadOptions {
  readonly hub: Hub;
  readonly socket: SessionSocketDeps;
  readonly figures: ReadFigures;
  readonly shared: SharedAnswers;
  readonly ref: ReadRef;
  readonly since: Since;
  /** Milliseconds for which the read waits for a change. 0: not at all. */
  readonly waitMs: number;
  /** The answer at the end of the wait. @default one without changes */
  readonly endOfWait?: Answer | undefined;
  /** Whether the stream has positions. */
  readonly hasPositions: boolean;
  readonly stream: AnswerStream;
  /** Measures the wait. @default the clock of the system */
  readonly clock?: Pick<Clock, 'timers'>;
  readonly remoteAddress: string;
}

/** An answer, or the note that it was streamed already. */
export type ChangeAnswer = Answer | 'streamed';

/** Milliseconds in which the engine must begin an answer. A store that can't be read takes longer. */
const BEGIN_MS = 10_000;
/** Bytes up to which a change of a streamed answer is copied, which costs less than a write. */
const COPIED_BYTES = 16_384;
const COMMA = Buffer.from(',');
const END = Buffer.from(']}');

/**
 * One read of the changes since a position (rule RV-52). It is a subscriber of the group for a moment. The hub writes the frames that a
 * position-aware WebSocket would get. The read ends when they lead to a whole state. With nothing new it waits for a flush.
 *
 *     joined ──► answered (`resumed`, or a `sync`) ──► whole, with changes ──► ended
 *                                                  └─► whole, nothing new ──► waiting ──► a flush, or the time is over ──► ended
 */
export class ChangeRead implements SessionOutlet {
  static #begun = 0;
  /** Grows from one read of this process to the next. Lists of reads go on after a number. */
  readonly number = ++ChangeRead.#begun;
  /** Unix milliseconds. */
  readonly beganAtMs = systemClock.now();
  readonly remoteAddress: string;
  readonly #options: ChangeReadOptions;
  readonly #socket: SessionSocket;
  readonly #settle: (answer: ChangeAnswer) => void;
  /** Resolves when the read has ended. */
  readonly answer: Promise<ChangeAnswer>;
  readonly #membership: Membership;
  /** First the time for the beginning of the answer, then the time for which the read waits. */
  #timer: ClockTimer;
  readonly #timers: ClockTimers;
  #state: GroupState;
  #isWhole = false;
  /** The kind of the answer; `undefined` before the first frame. */
  #mode: 'tail' | 'changes' | 'sync' | undefined;
  #reason: string | undefined;
  /** The offset to which `resumed` leads. */
  #to = 0;
  /** The buffers of which all changes come; `undefined` when one of them is of this reader alone. */
  #sources: Buffer[] | undefined = [];
  #changes: Buffer[] = [];
  #count = 0;
  #bytes = 0;
  /** The frames of a message that has not ended. */
  #fragments: Buffer[] = [];
  #isStreamed = false;
  #checking = false;
  #isDeadlineSet = false;

  constructor(options: ChangeReadOptions) {
    const { hub, ref, since, socket, remoteAddress } = options;
    this.#options = options;
    this.remoteAddress = remoteAddress;
    this.#state = stateAt(since);
    this.#socket = new SessionSocket(this, socket);
    this.#socket.positions = true;
    let settle: (answer: ChangeAnswer) => void = () => {};
    this.answer = new Promise((resolve) => (settle = resolve));
    this.#settle = settle;
    this.#timers = timersOf(options.clock ?? systemClock);
    this.#timer = this.#timers.once(BEGIN_MS, () => this.#timeOut());
    const subscriptionId = subscriptionIdOf(ref);
    this.#membership = hub.join(hub.open(this.#socket, ref), { subscriptionId, item: ref.item, since });
  }

  /** Whether the read has everything and waits for a change. */
  get isWaiting(): boolean {
    return this.#mode !== undefined && this.#isWhole && this.#count === 0;
  }

  get ref(): ReadRef {
    return this.#options.ref;
  }

  get subscription(): Subscription {
    return this.#membership.subscription;
  }

  /** Ends the read with an error. */
  refuse(answer: Answer): void {
    this.#end(() => (this.#isStreamed ? this.#drop() : answer));
  }

  /** The client has left. */
  leave(): void {
    this.#end(() => 'streamed');
  }

  /** The client has taken bytes of a streamed answer. */
  drained(): void {
    this.#socket.wake();
  }

  // SessionOutlet: the hub writes here.

  get buffered(): number {
    return this.#isStreamed ? this.#options.stream.unsent : 0;
  }

  write(frames: Buffer): void {
    if (!this.#socket.open) return;
    const before = this.#count;
    for (const { payload, first, last } of framesOf(frames)) {
      if (first && last) this.#take(payload);
      else {
        this.#fragments.push(payload);
        if (!last) continue;
        const message = Buffer.concat(this.#fragments);
        this.#fragments = [];
        this.#sources = undefined;
        this.#take(message);
      }
    }
    if (this.#count > before) this.#sources?.push(frames);
    this.#checkSoon();
  }

  close(name: CloseName): void {
    this.refuse(
      name === 'internal'
        ? errorAnswer(503, 'INTERNAL_ERROR', 'the engine failed; its log says more')
        : errorAnswer(503, 'OVERLOADED', 'the answer could not be kept for a client that reads slowly; try again'),
    );
  }

  #take(payload: Buffer): void {
    const facts = isOfGroup(payload) ? factsOf(tailOf(payload, '')) : controlOf(payload);
    const { state, isWhole } = advance(this.#state, facts, this.#options.ref.item !== undefined);
    this.#state = state;
    this.#isWhole = isWhole;
    if (facts.kind === 'control') this.#takeControl(facts, payload);
    else {
      if (facts.kind === 'sync') {
        this.#mode = 'sync';
        this.#reason = facts.reason ?? this.#reason;
      }
      this.#add(payload);
    }
  }

  #takeControl({ frame }: Extract<MessageFacts, { kind: 'control' }>, payload: Buffer): void {
    if (frame.type === 'resumed') {
      this.#mode = frame.data.mode;
      this.#to = frame.data.to;
      // Nothing may follow, and then the reader has everything up to `to` already.
      this.#isWhole = frame.data.mode === 'tail';
    } else if (frame.type === 'caught_up' && this.#count === 0) {
      // Nothing had changed, so what follows are live changes.
      this.#mode = 'tail';
    } else if (frame.type === 'syncing') this.#startAgain();
    else if (frame.type === 'gap') this.#add(payload);
    else if (frame.type === 'stale' && this.#count === 0)
      this.refuse(errorAnswer(503, 'STORE_UNAVAILABLE', 'the store of the group is unavailable; try again later'));
  }

  /** A `sync` comes, which replaces everything before it. An answer that has begun is dropped, and its client repeats the request. */
  #startAgain(): void {
    if (this.#isStreamed) return this.#end(() => this.#drop());
    this.#sources = [];
    this.#changes = [];
    this.#count = 0;
    this.#bytes = 0;
  }

  #add(payload: Buffer): void {
    this.#count++;
    this.#bytes += payload.length;
    if (!this.#isStreamed && this.#bytes <= LIMITS.readPageBytes) {
      this.#changes.push(payload);
      return;
    }
    const { stream } = this.#options;
    if (this.#isStreamed) return this.#streamChange(payload);
    this.#isStreamed = true;
    // From now on the client gives the pace. The time-out of the stream drops a client that takes nothing.
    this.#timers.cancel(this.#timer);
    stream.begin();
    const head = Buffer.from(`{"mode":"${this.#mode ?? 'sync'}"${this.#reasonText()},"changes":[`);
    stream.write(Buffer.concat([head, ...listed([...this.#changes, payload])]));
    this.#changes = [];
    this.#sources = undefined;
  }

  /** Sends one more change of a streamed answer. Readers share the bytes of a large one. */
  #streamChange(payload: Buffer): void {
    const { stream } = this.#options;
    if (payload.length <= COPIED_BYTES) return stream.write(Buffer.concat([COMMA, payload]));
    stream.write(COMMA);
    stream.write(payload);
  }

  /** Decides at the end of the turn whether the read ends, because a flush may write several buffers. */
  #checkSoon(): void {
    if (this.#checking) return;
    this.#checking = true;
    setImmediate(() => {
      this.#checking = false;
      this.#check();
    });
  }

  #check(): void {
    if (!this.#socket.open || this.#mode === undefined || !this.#isWhole) return;
    const { subscription } = this.#membership;
    // The log is written in stretches, and a reader of an item gets no frame of those that hold none of it.
    if (this.#mode === 'tail' && subscription.cursor < this.#to) return this.#checkLater();
    if (this.#count > 0 || this.#options.waitMs === 0) return this.#end(() => this.#answerNow());
    if (this.#isDeadlineSet) return;
    this.#isDeadlineSet = true;
    this.#options.figures.waiting++;
    this.#timers.cancel(this.#timer);
    this.#timer = this.#timers.once(this.#options.waitMs, () => this.#timeOut());
  }

  /** Decides again when the log could be written further. A client that reads slowly stops it, and it may take a while. */
  #checkLater(): void {
    if (this.#socket.ready) return this.#checkSoon();
    this.#socket.inBackground(
      this.#socket.whenChanged().then(() => this.#checkSoon()),
      'change_read',
    );
  }

  #timeOut(): void {
    if (this.isWaiting) return this.#end(() => this.#options.endOfWait ?? this.#answerNow());
    this.refuse(errorAnswer(503, 'STORE_UNAVAILABLE', 'the changes could not be read in time; try again later'));
  }

  #end(answer: () => ChangeAnswer): void {
    if (!this.#socket.open) return;
    this.#timers.cancel(this.#timer);
    if (this.#isDeadlineSet) this.#options.figures.waiting--;
    // This moves the cursor of a reader of an item to the last flush.
    this.#options.hub.leave(this.#membership);
    this.#settle(answer());
    this.#socket.open = false;
    this.#socket.wake();
  }

  #drop(): ChangeAnswer {
    this.#options.stream.drop();
    return 'streamed';
  }

  #answerNow(): ChangeAnswer {
    const position = this.#positionText();
    if (this.#isStreamed) {
      this.#options.stream.end(`],"position":${position}}`);
      return 'streamed';
    }
    const unchanged = this.#options.waitMs > 0 ? 'idle' : 'none';
    const mode = this.#mode ?? 'tail';
    const head = `{"position":${position},"mode":"${mode}"${this.#reasonText()},"changes":[`;
    const build = (): Answer => ({
      status: 200,
      body: Buffer.concat([Buffer.from(head), ...listed(this.#changes), END]),
      cache: this.#count === 0 ? unchanged : mode === 'sync' ? 'none' : 'changes',
    });
    // Readers that waited for the same flush get the same answer.
    const sources = this.#sources ?? [];
    return sources.length === 0 ? build() : this.#options.shared.of(sources, head, build);
  }

  #positionText(): string {
    const { position } = this.#state;
    if (position === undefined || !this.#options.hasPositions) return 'null';
    const { cursor } = this.#membership.subscription;
    return JSON.stringify(formatPosition({ epoch: position.epoch, offset: Math.max(position.offset, cursor) }));
  }

  #reasonText(): string {
    return this.#reason === undefined ? '' : `,"reason":"${this.#reason}"`;
  }
}

/** Returns the members of a JSON array. */
function listed(members: readonly Buffer[]): Buffer[] {
  return members.flatMap((member, index) => (index === 0 ? [member] : [COMMA, member]));
}
