import { LIMITS } from '@rivulet/protocol';
import type { Clock } from '../structures/clock.js';
import { answerOf, causeOfDelete, type DetailOf, type ShownJoin, type WhyAnswer } from './causes.js';
import { deliveryOf, filteredDetail, type KnownChange, type Subject } from './delivery.js';
import { nearNames } from './near-names.js';
import { findTarget, type Target } from './newest-change.js';
import type { CursorView, SessionView, StreamsView } from './views.js';
import type { EndedSession, FailedWrite, RefusedJoin, WhyRecords } from './why-records.js';

/** Sessions of one identity that an answer has. */
const MOST_SESSIONS = 20;
/** Joins that an answer shows, and that are compared with a wrong name. */
const SHOWN_JOINS = 20;
const COMPARED_JOINS = 1_000;

export interface WhyQuestion {
  /** The id of a session, an identity, or the address of a client that was refused. */
  readonly session: string;
  readonly stream: string;
  readonly group: string;
  readonly item: string | undefined;
  readonly offset: number | undefined;
}

/** The session that a change was handed to, or was not. */
interface Reader {
  readonly number: number;
  readonly subject: Subject;
  readonly unsentBytes: number;
  readonly ended: EndedSession | undefined;
}

/**
 * Answers "why did this client not get that change?". It reads the state of sessions and groups, `WhyRecords`, and the store.
 *
 * The order of decision:
 * 1. Which sessions are meant, and whether they have ended.
 * 2. Whether the session has joined the group, and whether its joins want the item.
 * 3. Whether the store can be read, and what the newest change is.
 * 4. How far the session is.
 *
 * The first of these that explains the question is the answer. A fact that a ring may have lost makes the answer `not_known_any_more`.
 */
export class Why {
  readonly records: WhyRecords;
  readonly #streams: StreamsView;
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;

  constructor(records: WhyRecords, streams: StreamsView, clock: Clock) {
    this.records = records;
    this.#streams = streams;
    this.#clock = clock;
    records.headOf = (ref) => streams.group(ref)?.head;
  }

  async explain(question: WhyQuestion): Promise<WhyAnswer> {
    const { session: name } = question;
    const target = this.#targetOf(question);
    const live = this.#streams.sessionById(name);
    if (live !== undefined) return this.#explainLive(question, live, target);
    const { sessions, more } = this.#streams.sessionsOf(name, MOST_SESSIONS);
    const [only] = sessions;
    if (only !== undefined && sessions.length === 1 && !more) return this.#explainLive(question, only, target);
    if (only === undefined) return this.#explainAbsent(question, target);
    const answers: WhyAnswer[] = [];
    for (const session of sessions) answers.push(await this.#explainLive(question, session, target));
    return answerOf('several_sessions', { ...placeOf(question), identity: name, answers, more });
  }

  /** Returns a function that finds the target of the question once. `undefined`: the store cannot be read. */
  #targetOf(question: WhyQuestion): () => Promise<Target | undefined> {
    const { clock, records, streams } = { clock: this.#clock, records: this.records, streams: this.#streams };
    let target: Promise<Target | undefined> | undefined;
    return () => {
      target ??= findTarget(question, { streams, records, clock }).catch(() => undefined);
      return target;
    };
  }

  async #explainLive(question: WhyQuestion, session: SessionView, target: () => Promise<Target | undefined>): Promise<WhyAnswer> {
    const { sessionId, identity, number, unsentBytes } = session;
    const subject = { session_id: sessionId, ...(identity === undefined ? {} : { identity }), ...placeOf(question) };
    const cursor = session.cursorOf(question);
    if (cursor === undefined) {
      // The session may have ended since it was found.
      const past = this.records.ended.find((ended) => ended.session === number);
      if (past !== undefined) return this.#explainEnded(question, past, target);
    }
    const joins = cursor?.joins ?? [];
    const { item } = question;
    const isWanted = joins.some((join) => join.item === undefined || item === undefined || join.item === item);
    if (cursor === undefined || !isWanted) {
      const { isWaiting, refused: refusals } = session.unjoined(question);
      if (isWaiting) return answerOf('join_waiting', subject);
      const refused = this.#refusedJoin(question, number);
      if (refused !== undefined) return refusedJoinAnswer(subject, refused);
      const otherwise =
        cursor === undefined ? await this.#notJoined(question, session, subject) : answerOf('filtered', filteredDetail(subject, joins));
      return this.#knowsRefusals(number, refusals)
        ? otherwise
        : this.#lost(subject, 'refused_joins', this.records.refusedJoins.knownSince, otherwise);
    }
    const unavailable = this.#unavailable(question, subject);
    const isHandedOver = question.offset !== undefined && question.offset <= cursor.through;
    if (unavailable !== undefined && !isHandedOver) return unavailable;
    const found = await target();
    if (found === undefined) return this.#unreadable(question, subject);
    // The client may have got more meanwhile, or may have gone.
    const reached = session.cursorOf(question);
    if (reached === undefined) return this.#explainLive(question, session, target);
    return this.#explainTarget(question, found, { number, subject, unsentBytes, ended: undefined }, reached);
  }

  #explainTarget(question: WhyQuestion, target: Target, reader: Reader, cursor: CursorView): WhyAnswer {
    const { subject } = reader;
    const deliver = (change: KnownChange) => this.#delivery(question, change, reader, cursor);
    switch (target.kind) {
      case 'change':
        return deliver(target.change);
      case 'deleted': {
        const cause = causeOfDelete(target.deleted?.by);
        const answer = deliver(target.change);
        const { offset } = target.change;
        if (cause !== undefined) return answerOf(cause, { ...subject, delete: answer }, { at: target.deleted?.at, offset });
        const { knownSince } = this.records.deletes;
        return answerOf(
          'not_known_any_more',
          { ...subject, missing: 'cause_of_delete', known_since_ms: knownSince, otherwise: answer },
          { offset },
        );
      }
      case 'refused':
        return refusedAnswer(subject, question.item, target.write);
      case 'never':
        return neverAnswer(subject, target);
      case 'history_lost':
        return answerOf('not_known_any_more', { ...subject, missing: 'history_of_item' });
      case 'writes_lost': {
        const otherwise = this.#explainTarget(question, target.otherwise, reader, cursor);
        return this.#lost(subject, 'refused_writes', this.records.failedWrites.knownSince, otherwise);
      }
      default:
        return target satisfies never;
    }
  }

  #delivery(question: WhyQuestion, change: KnownChange, { number, subject, unsentBytes, ended }: Reader, cursor: CursorView): WhyAnswer {
    if (ended !== undefined && change.offset > cursor.through) return endedAnswer(subject, ended, { through: cursor.through });
    const group = this.#streams.group(question);
    const input = { records: this.records, clock: this.#clock, ref: question, subject, session: number, cursor, group, unsentBytes };
    return deliveryOf(input, change);
  }

  /** Answers for a name without a connected session. */
  async #explainAbsent(question: WhyQuestion, target: () => Promise<Target | undefined>): Promise<WhyAnswer> {
    const { ended, refusedUpgrades, ids, startedAt } = this.records;
    const { session: name } = question;
    const past = ended.find(({ sessionId, identity }) => sessionId === name || identity === name);
    const refused = refusedUpgrades.find(({ identity, address }) => identity === name || address === name);
    if (refused !== undefined && refused.at >= (past?.at ?? 0)) {
      const { by, reason, address, at, identity } = refused;
      const subject = { ...(identity === undefined ? {} : { identity }), ...placeOf(question) };
      return answerOf('upgrade_refused', { ...subject, by, reason, address }, { at });
    }
    if (past !== undefined) return this.#explainEnded(question, past, target);
    const origin = ids.originOf(name);
    const subject = placeOf(question);
    const lost = { ...subject, missing: 'session' } as const;
    if (origin === 'this_run') return answerOf('not_known_any_more', { ...lost, known_since_ms: ended.knownSince });
    if (origin === 'another_run') return answerOf('not_known_any_more', { ...lost, known_since_ms: startedAt, of_another_run: true });
    const since = Math.max(ended.knownSince, refusedUpgrades.knownSince);
    const unknown = answerOf('unknown_session', { ...subject, known_since_ms: since });
    return ended.overrun || refusedUpgrades.overrun ? this.#lost(subject, 'session', since, unknown) : unknown;
  }

  async #explainEnded(question: WhyQuestion, ended: EndedSession, target: () => Promise<Target | undefined>): Promise<WhyAnswer> {
    const { sessionId, identity, session, groups } = ended;
    const subject = {
      ...(sessionId === undefined ? {} : { session_id: sessionId }),
      ...(identity === undefined ? {} : { identity }),
      ...placeOf(question),
    };
    const cursor = groups.find(({ stream, group }) => stream === question.stream && group === question.group);
    if (cursor === undefined) return this.#endedOutside(question, subject, ended);
    const isHandedOver = question.offset !== undefined && question.offset <= cursor.through;
    const isReadable = isHandedOver || this.#unavailable(question, subject) === undefined;
    const found = isReadable ? await target() : undefined;
    if (found === undefined) return endedAnswer(subject, ended, { through: cursor.through });
    return this.#explainTarget(question, found, { number: session, subject, unsentBytes: 0, ended }, cursor);
  }

  /** Answers for a session that had not joined the group at its end, as far as the engine knows. */
  #endedOutside(question: WhyQuestion, subject: Subject, ended: EndedSession): WhyAnswer {
    const refused = this.#refusedJoin(question, ended.session);
    if (refused !== undefined) return refusedJoinAnswer(subject, refused);
    if (!ended.more) return endedAnswer(subject, ended, { joined: false });
    return answerOf('not_known_any_more', { ...subject, missing: 'joins', otherwise: endedAnswer(subject, ended) });
  }

  /** Returns the refused join that the question is about; `undefined` when there is none, or it is not known any more. */
  #refusedJoin({ stream, group, item }: WhyQuestion, session: number) {
    return this.records.refusedJoins.find(
      (refused) =>
        refused.session === session &&
        refused.stream === stream &&
        refused.group === group &&
        (refused.item === undefined || item === undefined || refused.item === item),
    );
  }

  /** Returns whether the ring has all refused joins of a session. */
  #knowsRefusals(number: number, refused: number): boolean {
    let known = 0;
    for (const { session } of this.records.refusedJoins.newestFirst()) if (session === number) known++;
    return known >= refused;
  }

  async #notJoined(question: WhyQuestion, session: SessionView, subject: Subject): Promise<WhyAnswer> {
    const joins: ShownJoin[] = [];
    const names = new Set<string>();
    let seen = 0;
    for (const { stream, group, item } of session.joins) {
      if (++seen > COMPARED_JOINS) break;
      if (stream === question.stream) names.add(group);
      if (joins.length < SHOWN_JOINS) joins.push({ stream, group, ...(item === undefined ? {} : { item }) });
    }
    // The names only help. Without the store the answer is the same.
    const stored =
      this.#unavailable(question, subject) === undefined ? await this.#streams.groupNames(question.stream).catch(() => []) : [];
    for (const name of stored) names.add(name);
    names.delete(question.group);
    const near = nearNames(question.group, names);
    return answerOf('not_joined', { ...subject, joins, more: seen > joins.length, near });
  }

  #unavailable(question: WhyQuestion, subject: Subject): WhyAnswer | undefined {
    const forMs = this.#streams.unavailableMs(question);
    if (forMs === undefined) return undefined;
    return answerOf('store_unavailable', { ...subject, for_ms: Math.round(forMs) }, { at: this.#clock.now() - forMs });
  }

  /** Answers when a read of the store has failed. */
  #unreadable(question: WhyQuestion, subject: Subject): WhyAnswer {
    return this.#unavailable(question, subject) ?? answerOf('store_unavailable', { ...subject, for_ms: 0 });
  }

  #lost(subject: Subject, missing: 'refused_joins' | 'refused_writes' | 'session', knownSince: number, otherwise: WhyAnswer): WhyAnswer {
    return answerOf('not_known_any_more', { ...subject, missing, known_since_ms: knownSince, otherwise });
  }
}

function placeOf({ stream, group, item }: WhyQuestion): Subject {
  return { stream, group, ...(item === undefined ? {} : { item: item.slice(0, LIMITS.idBytes) }) };
}

function endedAnswer(
  subject: Subject,
  { at, because, code }: EndedSession,
  state: Pick<DetailOf<'session_ended'>, 'through' | 'joined'> = {},
): WhyAnswer {
  return answerOf('session_ended', { ...subject, because, code, ...state }, { at });
}

function refusedJoinAnswer(subject: Subject, { at, by, function: id, reason }: RefusedJoin): WhyAnswer {
  return answerOf('join_refused', { ...subject, by, ...(id === undefined ? {} : { function: id }), reason }, { at });
}

function neverAnswer(subject: Subject, { head, itemOfOffset }: Extract<Target, { kind: 'never' }>): WhyAnswer {
  return answerOf('never_written', {
    ...subject,
    ...(head === undefined ? {} : { head }),
    ...(itemOfOffset === undefined ? {} : { item_of_offset: itemOfOffset }),
  });
}

/** Codes of errors that a bound causes. */
const LIMIT_CODES: ReadonlySet<string> = new Set([
  'GROUP_FULL',
  'STORE_FULL',
  'VALUE_TOO_LARGE',
  'MESSAGE_TOO_LARGE',
  'OVERLOADED',
  'INVALID_ID',
]);

function refusedAnswer(subject: Subject, item: string | undefined, write: FailedWrite): WhyAnswer {
  const { at, kind, batch, failedItem, code, reason } = write;
  const detail = { ...subject, code, reason, ...(failedItem === undefined ? {} : { failed_item: failedItem }) };
  const isOfOther = batch && (failedItem === undefined || failedItem !== item);
  if (isOfOther) return answerOf('refused_with_batch', detail, { at });
  if (kind === 'condition') return answerOf('refused_by_condition', detail, { at });
  return answerOf(LIMIT_CODES.has(code) ? 'refused_by_limit' : 'write_failed', detail, { at });
}
