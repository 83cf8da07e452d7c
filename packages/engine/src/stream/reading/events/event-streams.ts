import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { ErrorCode, Since } from '@rivulet/protocol';
import type { StreamConfig } from '../../../config/config.js';
import type { SessionDirectory } from '../../../core/revocation/session-directory.js';
import { runInBackground } from '../../../logging/background.js';
import { RepeatedLine } from '../../../logging/repeated-line.js';
import type { Clock } from '../../../structures/clock.js';
import type { PlainRequest } from '../../../transport/plain/plain-requests.js';
import { readSilentPeers } from '../../../transport/plain/silent-peers.js';
import type { UpgradeRequest } from '../../../transport/upgrade/upgrade-request.js';
import type { LeaseGrant } from '../../leases/leases.js';
import type { AuthDecision, AuthGate } from '../../session/auth-gate.js';
import { type JoinEvent, joinEvent } from '../../session/join-leave-triggers.js';
import { StreamSession, type StreamSessionContext } from '../../session/stream-session.js';
import { decideJoin } from '../../session/token-joins.js';
import { type Answer, type AnswerTo, errorAnswer, readHeaders } from '../requests/answer.js';
import { EXPIRED, hasEnded, noteRefusedRead, refusedBy } from '../requests/read-access.js';
import type { EventStreamEnd, ReadFigures } from '../requests/read-figures.js';
import { type ReadRef, subscriptionIdOf } from '../requests/read-target.js';
import { EventConnection, type EventConnectionDeps, retryLine } from './event-connection.js';
import { EventEncoder } from './event-encoder.js';
import { type EventLayout, type LayoutGroup, readEventId, statesAt } from './event-layout.js';
import { LostClients } from './lost-clients.js';

interface EventStreamsDeps {
  readonly auth: AuthGate;
  readonly context: StreamSessionContext;
  readonly directory: SessionDirectory;
  readonly config: Pick<StreamConfig, 'pingIntervalMs' | 'eventStallTimeoutMs'>;
  /** Whether the state of a group or an item has a position. */
  readonly hasPositions: (ref: ReadRef) => boolean;
  readonly figures: ReadFigures;
  readonly clock: Clock;
}

/** A request for an event stream. */
export interface EventQuery {
  readonly groups: readonly ReadRef[];
  /** The id of the last event that the client has, or the query `since`. */
  readonly lastId: string | undefined;
  /** Whether ids are lists of positions. */
  readonly isList: boolean;
}

type Allowed = Extract<AuthDecision, { kind: 'allowed' }>;

interface AllowedJoin {
  readonly group: LayoutGroup;
  readonly event: JoinEvent;
  readonly lease: LeaseGrant | undefined;
}

/** Parts of the open connections. Each tick of the timer writes a comment to one of them. */
const PARTS = 25;

/** The event streams of one listener (rule RV-53). Each of them is a session, as a WebSocket is. */
export class EventStreams {
  readonly #deps: EventStreamsDeps;
  readonly #open = new Set<EventConnection>();
  readonly #connections: EventConnectionDeps;
  readonly #stalledLine: RepeatedLine;
  readonly #lost: LostClients<EventConnection>;
  /** Layouts of the open streams, with the number of streams that use each. */
  readonly #layouts = new Map<string, { readonly layout: EventLayout; streams: number }>();
  #timer: NodeJS.Timeout | undefined;
  #tick = 0;

  constructor(deps: EventStreamsDeps) {
    this.#deps = deps;
    const { pingIntervalMs, eventStallTimeoutMs } = deps.config;
    const stallBeats = Math.ceil(eventStallTimeoutMs / pingIntervalMs);
    const ended = (reason: EventStreamEnd) => deps.figures.eventStreamsEnded[reason]++;
    this.#connections = { encoder: new EventEncoder(), open: this.#open, ended, pingIntervalMs, stallBeats };
    this.#stalledLine = new RepeatedLine(deps.clock);
    this.#lost = new LostClients(stallBeats, readSilentPeers);
  }

  /** Number of event streams that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Opens an event stream. Resolves with an answer when the request is refused for good, and with `undefined` otherwise. */
  async open(plain: PlainRequest, query: EventQuery, to: AnswerTo): Promise<Answer | undefined> {
    const { about, response } = plain;
    const { auth, directory, context } = this.#deps;
    const most = context.config.maxSubscriptionsPerConnection;
    if (query.groups.length > most)
      return errorAnswer(400, 'TOO_MANY_SUBSCRIPTIONS', `an event stream has at most ${most} groups; leave some, or open another`);
    const { answer, revoked } = await directory.ask(() => this.#decide(about, query, auth));
    if (answer.kind === 'refused') {
      if (answer.status !== 503) return errorAnswer(answer.status, answer.code, answer.message);
      this.later(to);
      return undefined;
    }
    const { decision, joins } = answer;
    // The join functions may have taken longer than the access lasts.
    const expired = hasEnded(decision, this.#deps.clock);
    if (response.destroyed || expired || revoked(decision.identity) || plain.request.method === 'HEAD') {
      for (const { event } of joins) context.triggers.left(event);
      if (expired) return errorAnswer(EXPIRED.status, EXPIRED.code, EXPIRED.message);
      if (plain.request.method === 'HEAD') this.#sendHead(to).end();
      else if (!response.destroyed) return errorAnswer(401, 'UNAUTHORIZED', 'the access was revoked');
      return undefined;
    }
    if (!plain.takeConnection()) {
      // The events would stand before the answer to an earlier request, and a later one would never get its answer.
      for (const { event } of joins) this.#deps.context.triggers.left(event);
      this.later(to);
      return undefined;
    }
    this.#begin(plain, query, decision, joins, to);
    return undefined;
  }

  /** Answers that the client should return later. A browser gives up at any other status. */
  later(to: AnswerTo): void {
    this.#sendHead(to).end(retryLine());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #decide(
    about: UpgradeRequest,
    { groups }: EventQuery,
    auth: AuthGate,
  ): Promise<
    | { readonly kind: 'allowed'; readonly decision: Allowed; readonly joins: readonly AllowedJoin[] }
    | { readonly kind: 'refused'; readonly status: 401 | 403 | 503; readonly code: ErrorCode; readonly message: string }
  > {
    const { triggers } = this.#deps.context;
    const decision = await auth.decide(about);
    if (decision.kind === 'refused') return refusedBy(decision);
    const joins: AllowedJoin[] = [];
    for (const ref of groups) {
      const group = { ...ref, id: subscriptionIdOf(ref), hasPositions: this.#deps.hasPositions(ref) };
      const event = joinEvent(randomUUID(), ref, ref.item, decision);
      const join = await decideJoin(event, triggers, decision.grants);
      if (join.allowed) {
        joins.push({ group, event, lease: join.lease });
        continue;
      }
      noteRefusedRead(this.#deps.context.why, about, decision.identity, join.cause);
      for (const allowed of joins) triggers.left(allowed.event);
      return { kind: 'refused', status: 403, code: 'FORBIDDEN', message: `the join of ${group.id} was refused` };
    }
    return { kind: 'allowed', decision, joins };
  }

  #begin({ about }: PlainRequest, { lastId, isList }: EventQuery, decision: Allowed, joins: readonly AllowedJoin[], to: AnswerTo): void {
    const { context } = this.#deps;
    const layout = this.#useLayout(
      joins.map(({ group }) => group),
      isList,
    );
    const since: readonly (Since | undefined)[] = lastId === undefined ? joins.map(() => undefined) : readEventId(layout, lastId);
    const response = this.#sendHead(to);
    const { socket } = to.request;
    const state = { groups: statesAt(since), open: undefined };
    const connection = new EventConnection(socket, layout, state, about.remoteAddress, this.#connections);
    const session = new StreamSession(context, connection, { now: decision });
    response.once('close', () => this.#giveLayout(layout));
    this.#deps.figures.eventStreamsOpened++;
    connection.own(session);
    for (const [index, { group, event, lease }] of joins.entries()) {
      const { id: subscriptionId, stream: streamName, group: groupId, item: itemId } = group;
      const join = { type: 'join', subscriptionId, streamName, groupId, itemId, positions: true, since: since[index] } as const;
      session.admit(join, event.subscription_id, lease);
    }
    this.#timer ??= setInterval(() => this.#beat(), Math.max(1, this.#deps.config.pingIntervalMs / PARTS)).unref();
  }

  /** Sends the head of a response whose body ends with the connection, so that nothing stands between the events. */
  #sendHead(to: AnswerTo): ServerResponse {
    const { response } = to;
    response.removeHeader('transfer-encoding');
    const headers = {
      ...readHeaders(to),
      'content-type': 'text/event-stream',
      'cache-control': to.isPrivate ? 'private, no-store' : 'no-store',
      'x-accel-buffering': 'no',
      connection: 'close',
    };
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant names; values are constants, or an origin of the configuration
    response.writeHead(200, headers);
    response.flushHeaders();
    return response;
  }

  #useLayout(groups: readonly LayoutGroup[], isList: boolean): EventLayout {
    const key = JSON.stringify([isList, groups.map(({ id, hasPositions }) => [id, hasPositions])]);
    const known = this.#layouts.get(key) ?? { layout: { key, groups, isList }, streams: 0 };
    known.streams++;
    this.#layouts.set(key, known);
    return known.layout;
  }

  #giveLayout({ key }: EventLayout): void {
    const known = this.#layouts.get(key);
    if (known !== undefined && --known.streams === 0) this.#layouts.delete(key);
  }

  /** Writes a comment to one part of the connections, and drops the clients of it that have stalled. */
  #beat(): void {
    const part = this.#tick++ % PARTS;
    if (part === 0 && this.#open.size > 0) runInBackground(this.#dropLost(), this.#deps.context.logger, 'lost_event_streams');
    let index = 0;
    for (const connection of this.#open) if (index++ % PARTS === part && connection.beat()) this.#stalled(connection);
  }

  /** Drops the clients that vanished with bytes on their way. */
  async #dropLost(): Promise<void> {
    for (const connection of await this.#lost.find(this.#open)) {
      if (!this.#open.has(connection)) continue;
      connection.stalled();
      this.#stalled(connection);
    }
  }

  #stalled({ remoteAddress }: EventConnection): void {
    const { context, config } = this.#deps;
    const stallTimeoutMs = config.eventStallTimeoutMs;
    this.#stalledLine.add((times) => context.logger.warn('event_stream_stalled', { address: remoteAddress, times, stallTimeoutMs }));
  }
}
