/** A channel whose writer may be in the middle of a message. */
export interface MessageWriter {
  /** True while the channel is full, so that its writer can't finish a message now. */
  readonly heldBack: boolean;
  /** Stops the writer until `takeTurn`. Idempotent. */
  waitForTurn(): void;
  /** Lets the writer go on as far as its channel allows. Idempotent. */
  takeTurn(): void;
}

/**
 * Bounds the unfinished messages of the writers of one guest. A message is unfinished while the engine has read a part of it.
 *
 * free ──(bytes reach the bound)──▶ turns ──(bytes fall to half of the bound)──▶ free
 *
 * - `free`: the engine reads every writer.
 * - `turns`: the engine reads one writer until its message is whole. Then the writer with the next unfinished message gets the turn. A
 *   writer whose channel is full passes its turn on. All other writers wait, also a writer that has not begun a message.
 *
 * The unfinished bytes stay below the bound plus one message. A peer that never finishes its message loses its connection by the deadline
 * for messages. That deadline runs only while the writer has the turn.
 */
export class MessageTurns {
  readonly #bound: number;
  readonly #writers: () => Iterable<MessageWriter>;
  readonly #onFull: () => void;
  /** Unfinished bytes by writer. The writer that began its message first is first. */
  readonly #bytes = new Map<MessageWriter, number>();
  #total = 0;
  #state: { readonly kind: 'free' } | { readonly kind: 'turns'; turn: MessageWriter | undefined } = { kind: 'free' };

  /**
   * `bound` is in bytes.
   *
   * @param writers Returns all writers that share the bound.
   * @param onFull Runs when the bound is reached, before the writers wait.
   */
  constructor(bound: number, writers: () => Iterable<MessageWriter>, onFull: () => void) {
    this.#bound = bound;
    this.#writers = writers;
    this.#onFull = onFull;
  }

  /** Unfinished bytes of all writers. */
  get total(): number {
    return this.#total;
  }

  /** Sets the unfinished bytes of a writer: 0 when its last message is whole, and when the writer has ended. */
  report(writer: MessageWriter, bytes: number): void {
    const before = this.#bytes.get(writer) ?? 0;
    const finished = bytes < before;
    this.#total += bytes - before;
    // The writer goes behind the writers that wait to finish a message.
    if (finished) this.#bytes.delete(writer);
    if (bytes > 0) this.#bytes.set(writer, bytes);
    if (this.#state.kind === 'free') {
      if (this.#total >= this.#bound) this.#begin(writer);
    } else if (this.#total <= this.#bound / 2) this.#end();
    else this.#pass(finished ? writer : undefined);
  }

  /** Makes a new writer wait while the others take turns. */
  join(writer: MessageWriter): void {
    if (this.#state.kind === 'turns') writer.waitForTurn();
  }

  /** Must run when `heldBack` of a writer has changed: the turn may pass to another writer. */
  heldBackChanged(): void {
    if (this.#state.kind === 'turns') this.#pass();
  }

  #begin(first: MessageWriter): void {
    this.#onFull();
    this.#state = { kind: 'turns', turn: first };
    for (const writer of this.#writers()) if (writer !== first) writer.waitForTurn();
    this.#pass();
  }

  #end(): void {
    this.#state = { kind: 'free' };
    for (const writer of this.#writers()) writer.takeTurn();
  }

  /** Gives the turn to the next writer when the one that has it can't use it, or has finished a message. */
  #pass(finished?: MessageWriter): void {
    if (this.#state.kind !== 'turns') return;
    const { turn } = this.#state;
    if (turn !== undefined && turn !== finished && this.#canUse(turn)) return;
    const next = Array.from(this.#bytes.keys()).find((writer) => this.#canUse(writer));
    turn?.waitForTurn();
    this.#state.turn = next;
    next?.takeTurn();
  }

  #canUse(writer: MessageWriter): boolean {
    return this.#bytes.has(writer) && !writer.heldBack;
  }
}
