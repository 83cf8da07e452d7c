import { type CloseName, formatPosition, LIMITS, type Since } from '@rivulet/protocol';
import type { Hub } from '../fanout/hub.js';
import type { Membership } from '../fanout/subscription.js';
import { type SessionOutlet, SessionSocket, type SessionSocketDeps } from '../session/session-socket.js';
import { type Answer, type AnswerStream, errorAnswer } from './answer.js';
import { advance, type GroupState, stateAt } from './group-state.js';
import type { ReadRef } from './read-target.js';
import type { SharedAnswers } from './shared-answers.js';
import { controlOf, factsOf, framesOf, isOfGroup, type MessageFacts, tailOf } from './wire-frames.js';

export interface ChangeReadOptions {
  readonly hub: Hub;
  readonly socket: SessionSocketDeps;
  readonly shared: SharedAnswers;
  readonly ref: ReadRef;
  readonly since: Since;
  /** Milliseconds for which the read waits for a change. 0: not at all. */
  readonly waitMs: number;
  /** Whether the stream has positions. */
  readonly hasPositions: boolean;
  readonly stream: AnswerStream;
  readonly remoteAddress: string;
}

/** An answer, or the note that it was streamed already. */
export type ChangeAnswer = Answer | 'streamed';

/** Milliseconds in which the engine must begin an answer. A store that can't be read takes longer. */
const BEGIN_MS = 10_000;

/**
 * One read of the changes since a position (rule RV-52). It is a subscriber of the group for a moment. The hub writes the frames that a
 * position-aware WebSocket would get. The read ends when they lead to a whole state. With nothing new it waits for a flush.
 *
 *     joined ──► answered (`resumed`, or a `sync`) ──► whole, with changes ──► ended
 *                                                  └─► whole, nothing new ──► waiting ──► a flush, or the time is over ──► ended
 */
export class ChangeRead implements SessionOutlet {
  readonly remoteAddress: string;
  readonly #options: ChangeReadOptions;
  readonly #socket: SessionSocket;
  readonly #settle: (answer: ChangeAnswer) => void;
  /** Resolves when the read has ended. */
  readonly answer: Promise<ChangeAnswer>;
  readonly #membership: Membership;
  /** First the time for the beginning of the answer, then the time for which the read waits. */
  #timer: NodeJS.Timeout;
  #state: GroupState;
  #isWhole = false;
  /** The kind of the answer; `undefined` before the first frame. */
  #mode: 'tail' | 'changes' | 'sync' | undefined;
  #reason: string | undefined;
  /** The offset to which `resumed` leads. */
  #to = 0;
  /** The buffers of which all changes come, while there is only one. */
  #source: Buffer | undefined;
  #texts: string[] = [];
  #count = 0;
  #units = 0;
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
    this.#timer = setTimeout(() => this.#timeOut(), BEGIN_MS);
    const subscriptionId = JSON.stringify([ref.stream, ref.group, ref.item]);
    this.#membership = hub.join(hub.open(this.#socket, ref), { subscriptionId, item: ref.item, since });
  }

  /** Whether the read has everything and waits for a change. */
  get isWaiting(): boolean {
    return this.#mode !== undefined && this.#isWhole && this.#count === 0;
  }

  /** Ends the read with an error. */
  refuse(answer: Answer): void {
    this.#end(() => {
      if (!this.#isStreamed) return answer;
      this.#options.stream.drop();
      return 'streamed';
    });
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
    this.#source = this.#count === 0 ? frames : undefined;
    for (const { payload, first, last } of framesOf(frames)) {
      if (first && last) this.#take(payload);
      else {
        this.#fragments.push(payload);
        if (!last) continue;
        const message = Buffer.concat(this.#fragments);
        this.#fragments = [];
        this.#take(message);
      }
    }
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
    } else if (frame.type === 'gap') this.#add(payload);
    else if (frame.type === 'stale' && this.#count === 0)
      this.refuse(errorAnswer(503, 'STORE_UNAVAILABLE', 'the store of the group is unavailable; try again later'));
  }

  #add(payload: Buffer): void {
    const text = payload.toString();
    this.#count++;
    this.#units += text.length;
    if (!this.#isStreamed && this.#units <= LIMITS.readPageBytes) {
      this.#texts.push(text);
      return;
    }
    const { stream } = this.#options;
    if (!this.#isStreamed) {
      this.#isStreamed = true;
      stream.begin();
      stream.write(`{"mode":"${this.#mode ?? 'sync'}"${this.#reasonText()},"changes":[${[...this.#texts, text].join(',')}`);
      this.#texts = [];
    } else stream.write(`,${text}`);
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
    if (this.#mode === 'tail' && subscription.cursor < this.#to) return this.#checkSoon();
    if (this.#count > 0 || this.#options.waitMs === 0) return this.#end(() => this.#answerNow());
    if (this.#isDeadlineSet) return;
    this.#isDeadlineSet = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#timeOut(), this.#options.waitMs);
  }

  #timeOut(): void {
    if (this.isWaiting) return this.#end(() => this.#answerNow());
    this.refuse(errorAnswer(503, 'STORE_UNAVAILABLE', 'the changes could not be read in time; try again later'));
  }

  #end(answer: () => ChangeAnswer): void {
    if (!this.#socket.open) return;
    clearTimeout(this.#timer);
    // This moves the cursor of a reader of an item to the last flush.
    this.#options.hub.leave(this.#membership);
    this.#settle(answer());
    this.#socket.open = false;
    this.#socket.wake();
  }

  #answerNow(): ChangeAnswer {
    const position = this.#positionText();
    if (this.#isStreamed) {
      this.#options.stream.end(`],"position":${position}}`);
      return 'streamed';
    }
    const isUnchanged = this.#count === 0;
    const mode = this.#mode ?? 'tail';
    const build = (): Answer => ({
      status: 200,
      body: Buffer.from(`{"position":${position},"mode":"${mode}"${this.#reasonText()},"changes":[${this.#texts.join(',')}]}`),
      cache: isUnchanged || mode === 'sync' ? 'none' : 'changes',
    });
    // Readers that waited for the same flush get the same answer.
    return mode === 'tail' && this.#source !== undefined ? this.#options.shared.of(this.#source, position, build) : build();
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
