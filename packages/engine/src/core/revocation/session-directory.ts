/** A session that an operator can end. */
export interface Revocable {
  /** Name of the user, from the auth function; `undefined` when there is none. */
  readonly identity: string | undefined;
  /** Ends the session in this call. Unsent data is not delivered, and further frames of the peer have no effect. */
  revoke(): void;
}

/** An auth answer, with the disconnects that happened while the auth function decided. */
export interface AnsweredQuestion<Answer> {
  readonly answer: Answer;
  /** Returns whether this identity was disconnected after the question was sent. Valid in the turn in which the answer came. */
  readonly revoked: (identity: string | undefined) => boolean;
}

interface Question {
  /** Count of disconnects when the question was sent. */
  readonly begun: number;
}

/** Most identities that are remembered while questions are open. Beyond it every open question counts as revoked. */
const MOST_REMEMBERED = 65_536;

/**
 * The sessions of one engine by the identity of their user, on all listeners.
 *
 * A disconnect also counts for auth questions that are open at that moment. The function may have decided before the operator withdrew
 * the access, so an answer with this identity is refused and the peer must ask again. A question that is sent after the disconnect is
 * decided by the auth function alone.
 */
export class SessionDirectory {
  readonly #sessions = new Map<string, Set<Revocable>>();
  readonly #listeners: ((identity: string) => void)[] = [];
  readonly #finders: ((sessionId: string) => Revocable | undefined)[] = [];
  /** Open questions, the oldest first. */
  readonly #questions = new Set<Question>();
  /** The last disconnect of an identity, the oldest first, while a question is open that began before it. */
  readonly #disconnected = new Map<string, number>();
  #disconnects = 0;
  /** Questions that began before this disconnect are revoked, whatever their identity. */
  #revokedBefore = 0;

  /** Adds a function that finds a session by its id. */
  findBy(finder: (sessionId: string) => Revocable | undefined): void {
    this.#finders.push(finder);
  }

  /** Adds a function that runs when an identity is disconnected. */
  onDisconnect(listener: (identity: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Adds a session. One without an identity is not kept. */
  add(session: Revocable): void {
    const { identity } = session;
    if (identity === undefined) return;
    const sessions = this.#sessions.get(identity);
    if (sessions === undefined) this.#sessions.set(identity, new Set([session]));
    else sessions.add(session);
  }

  /** Removes a session. Its identity must be the one with which it was added. */
  remove(session: Revocable): void {
    const { identity } = session;
    if (identity === undefined) return;
    const sessions = this.#sessions.get(identity);
    if (sessions?.delete(session) === true && sessions.size === 0) this.#sessions.delete(identity);
  }

  /** Returns the sessions of an identity. */
  sessionsOf(identity: string): Iterable<Revocable> {
    return this.#sessions.get(identity) ?? [];
  }

  /** Sends a question to an auth function and remembers disconnects until the answer has come. */
  async ask<Answer>(question: () => Promise<Answer>): Promise<AnsweredQuestion<Answer>> {
    const open: Question = { begun: this.#disconnects };
    this.#questions.add(open);
    try {
      const answer = await question();
      return { answer, revoked: (identity) => this.#revokedSince(open, identity) };
    } finally {
      // The session that the answer allows opens later in this turn.
      setImmediate(() => this.#close(open));
    }
  }

  /** Ends every session of an identity and returns their count. */
  disconnect(identity: string): number {
    this.#disconnects++;
    if (this.#questions.size > 0) this.#remember(identity);
    const sessions = Array.from(this.#sessions.get(identity) ?? []);
    for (const session of sessions) session.revoke();
    for (const listener of this.#listeners) listener(identity);
    return sessions.length;
  }

  /** Ends one session and returns whether there was such a session. */
  disconnectSession(sessionId: string): boolean {
    for (const find of this.#finders) {
      const session = find(sessionId);
      if (session === undefined) continue;
      session.revoke();
      return true;
    }
    return false;
  }

  #remember(identity: string): void {
    this.#disconnected.delete(identity);
    if (this.#disconnected.size >= MOST_REMEMBERED) {
      this.#disconnected.clear();
      this.#revokedBefore = this.#disconnects;
    } else this.#disconnected.set(identity, this.#disconnects);
  }

  #revokedSince({ begun }: Question, identity: string | undefined): boolean {
    if (identity === undefined) return false;
    return begun < this.#revokedBefore || (this.#disconnected.get(identity) ?? 0) > begun;
  }

  #close(question: Question): void {
    this.#questions.delete(question);
    const [oldest] = this.#questions;
    for (const [identity, disconnect] of this.#disconnected) {
      if (oldest !== undefined && disconnect > oldest.begun) break;
      this.#disconnected.delete(identity);
    }
  }
}
