import { randomUUID } from 'node:crypto';
import { CLOSE_CODES, decodeStreamMessage, type GroupPosition, type StreamJoin, type Undecodable } from '@rivulet/protocol';
import type { TokenGrants } from '../../core/jwt/token-grants.js';
import type { Expiring } from '../../core/revocation/expiry-watch.js';
import type { Revocable } from '../../core/revocation/session-directory.js';
import type { GroupRef } from '../../store/store.js';
import { systemClock } from '../../structures/clock.js';
import type { ConnectionOwner } from '../../transport/connection.js';
import type { InboundMeter } from '../../transport/rates/inbound-meter.js';
import type { PageAccess } from '../calls/page-caller.js';
import { type CallingSession, SessionCalls } from '../calls/session-calls.js';
import type { Membership } from '../fanout/subscription.js';
import type { LeaseGrant } from '../leases/leases.js';
import { NO_LEASES, type Refusal, SessionLeases } from '../leases/session-leases.js';
import type { AuthDecision } from './auth-gate.js';
import { type JoinEvent, joinEvent } from './join-leave-triggers.js';
import { checkJoin, type RefusedJoin, reportIgnoredJoin, reportRefusedJoin } from './join-reports.js';
import type { EvictableConnection } from './outage-eviction.js';
import { PendingJoins } from './pending-joins.js';
import { Refreshes, type SessionAuth } from './session-auth.js';
import type { SessionConnection, SessionContext } from './session-context.js';
import { SessionMemberships } from './session-memberships.js';
import { SessionSocket } from './session-socket.js';
import { ACCESS_ENDS, endedSession } from './session-view.js';
import { decidePending, NOT_GRANTED } from './token-joins.js';
import { joinOf, type PathJoin } from './upgrade-target.js';

/** The context that all sessions of a gateway share. */
export type StreamSessionContext = SessionContext<StreamSession>;

/**
 * One stream client: its joins, its memberships, and the socket that the hub writes to.
 *
 * Joins take effect in their order. While the functions of a join run, later joins wait, and everything else goes on.
 */
export class StreamSession implements ConnectionOwner, Expiring, Revocable, EvictableConnection, CallingSession {
  static #opened = 0;
  /** Grows from one session of this process to the next. Lists of sessions go on after a number. */
  readonly number = ++StreamSession.#opened;
  /** Unix milliseconds. */
  readonly connectedAtMs = systemClock.now();
  readonly meter: InboundMeter | undefined;
  readonly #context: StreamSessionContext;
  readonly #connection: SessionConnection;
  readonly #socket: SessionSocket;
  readonly #access: SessionAuth;
  #allowed: SessionAuth['now'];
  #sessionId: string | undefined;
  #memberships: SessionMemberships | undefined;
  #pending: PendingJoins | undefined;
  /** Leases of the joins; absent until there is one. */
  #leases: SessionLeases | undefined;
  /** Calls of functions; absent until the first one. */
  #calls: SessionCalls | undefined;
  #refreshes: Refreshes | undefined;

  constructor(context: StreamSessionContext, connection: SessionConnection, access: SessionAuth, meter?: InboundMeter) {
    this.meter = meter;
    this.#context = context;
    this.#connection = connection;
    this.#socket = new SessionSocket(connection, context, this.number);
    this.#access = access;
    this.#allowed = access.now;
    context.sessions.add(this);
    context.directory?.add(this);
    if (access.now.expiresAtMs !== undefined) context.expiry.set(this, access.now.expiresAtMs);
  }

  /** Joins what the path of the URL names. */
  joinByPath(target: PathJoin): void {
    this.#enqueue(joinOf(target, randomUUID()));
  }

  /**
   * Joins as a position-aware client, when the functions of `stream:join` have allowed it already. `id`: the subscription id that these
   * functions got. Control frames have the one of the message.
   */
  admit(message: StreamJoin, id: string, lease: LeaseGrant | undefined): void {
    const { streamName: stream, groupId: group, itemId } = message;
    if (!this.#socket.open) return this.#context.triggers.left(this.#event(id, { stream, group }, itemId));
    this.#socket.positions = true;
    this.#join(message, lease, id);
  }

  onText(text: string): void {
    const decoded = decodeStreamMessage(text);
    if (decoded.kind === 'ignored') return;
    if (decoded.kind === 'invalid') return this.#ignore(decoded);
    const { message } = decoded;
    switch (message.type) {
      case 'join':
        this.meter?.request();
        this.#enqueue(message);
        break;
      case 'leave':
        this.#pending?.cancel(message.subscriptionId);
        this.#endMembership(message.subscriptionId);
        break;
      case 'refresh':
        this.#refresh(message.token);
        break;
      case 'call':
        this.meter?.call();
        this.#callsOf()?.make(message, text.length);
        break;
      case 'lease':
        this.#refuseLease(message.subscriptionId, (this.#leases ?? NO_LEASES).update(message.subscriptionId, message.data));
        break;
      default:
        message satisfies never;
    }
  }

  onBinary(data: Buffer): void {
    this.onText(data.toString());
  }

  onDrain(): void {
    this.#socket.wake();
  }

  onClose(code: number): void {
    if (!this.#socket.open) return;
    this.#socket.open = false;
    this.#context.why?.sessionEnded(endedSession(this, code, this.#socket.because));
    this.#context.sessions.delete(this);
    this.#context.directory?.remove(this);
    this.#context.expiry.delete(this);
    this.#pending?.cancelAll();
    this.#calls?.close(code === CLOSE_CODES.revoked.code);
    this.#leases?.closed(code);
    const memberships = this.#memberships;
    this.#memberships = undefined;
    for (const [id, membership] of memberships?.entries() ?? []) {
      this.#context.hub.leave(membership);
      this.#context.triggers.left(this.#event(id, membership.subscription.fanout, membership.item));
    }
    this.#socket.wake();
  }

  /** Bytes that the socket has not taken yet. */
  get ownedBytes(): number {
    return this.#connection.buffered;
  }

  /** Number of changes that the client does not have yet, of the group in which it is furthest behind. */
  get lag(): number {
    return this.#memberships?.lag ?? 0;
  }

  // EvictableConnection: an outage may make the connection useless.

  get unavailableSince(): number | undefined {
    return this.#memberships?.unavailableSince(this.#context.hub);
  }

  evict(): void {
    this.#socket.because = 'store_unavailable';
    this.#connection.close('tryLater');
  }

  /** Whether the client is position-aware. */
  get positions(): boolean {
    return this.#socket.positions;
  }

  /** The joins with their subscription ids, in their order. */
  joins(): Iterable<readonly [id: string, membership: Membership]> {
    return this.#memberships?.entries() ?? [];
  }

  /** Returns whether a join of the group waits for its functions, and how many joins of all groups were refused. */
  unjoined(ref: GroupRef): { readonly isWaiting: boolean; readonly refused: number } {
    return { isWaiting: this.#pending?.waitsFor(ref) === true, refused: this.#socket.refusedJoins };
  }

  /** Number of memberships. */
  get subscriptions(): number {
    return this.#memberships?.size ?? 0;
  }

  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }

  get transport(): 'websocket' | 'sse' {
    return this.#connection.transport ?? 'websocket';
  }

  get peerAddress(): string {
    return this.#connection.peerAddress;
  }

  /** Closes the connection, because the engine stops. */
  restart(): void {
    this.#socket.because = 'engine_stopped';
    this.#connection.close('restart');
  }

  // CallingSession: the client calls functions.

  get access(): PageAccess {
    return this.#allowed;
  }

  /** Calls that the client waits for. */
  get unansweredCalls(): number {
    return this.#calls?.unanswered ?? 0;
  }

  watches(ref: GroupRef): boolean {
    return this.#memberships?.subscriptionOf(ref) !== undefined;
  }

  confirm({ streamName, groupId, ...position }: GroupPosition): void {
    const subscription = this.#memberships?.subscriptionOf({ stream: streamName, group: groupId });
    if (subscription !== undefined) this.#context.hub.confirm(subscription, position);
  }

  #ignore({ code, reason, call }: Extract<Undecodable, { kind: 'invalid' }>): void {
    this.#context.logger.debug('stream_frame_ignored', { code, reason });
    if (call !== undefined) this.#callsOf()?.refuse(call.callId, code, reason);
  }

  /** Returns the calls of the client; `undefined` where clients call nothing. */
  #callsOf(): SessionCalls | undefined {
    const { calls } = this.#context;
    if (calls !== undefined) this.#calls ??= new SessionCalls(calls, this.#socket, this);
    return this.#calls;
  }

  /** Checks a join, and joins at once or queues it for the join functions. */
  #enqueue(message: StreamJoin): void {
    if (!this.#socket.open) return;
    if (message.positions) this.#socket.positions = true;
    const limit = this.#context.config.maxSubscriptionsPerConnection;
    const replaces = this.#memberships?.has(message.subscriptionId) === true;
    const ignored = checkJoin(message, { limit, pending: this.#pending?.size ?? 0, members: this.subscriptions, replaces });
    if (ignored !== undefined) return reportIgnoredJoin(this.#context, this.#socket, message, ignored);
    if (this.#pending === undefined && this.#allowed.grants === undefined && this.#context.triggers.open) return this.#join(message);
    const isIdle = this.#pending === undefined;
    (this.#pending ??= new PendingJoins()).add(message);
    if (isIdle) this.#socket.inBackground(this.#decide(this.#pending), 'stream_join');
  }

  /** Sends the reason of a refused lease. */
  #refuseLease(subscriptionId: string, refusal: Refusal | undefined): void {
    if (refusal !== undefined) this.#socket.sendControl({ type: 'error', data: { subscriptionId, ...refusal } });
  }

  /** Renews the access with another token (rule RV-14). */
  #refresh(token: string): void {
    const ask = this.#access.decideAgain;
    if (ask === undefined) return this.#socket.sendControl({ type: 'refreshed', data: { expiresAtMs: null } });
    this.#refreshes ??= new Refreshes(
      ask,
      (decision) => this.#refreshed(decision),
      (error) => this.#socket.failed('stream_refresh', error),
    );
    this.#refreshes.refresh(token);
  }

  #refreshed(decision: AuthDecision): void {
    if (!this.#socket.open) return;
    if (decision.kind === 'refused') return this.#connection.close(decision.close);
    const { identity: before } = this.#allowed;
    const identity = decision.identity ?? before;
    // The join functions allowed the first user. Another user must open a connection.
    if (before !== undefined && identity !== before) {
      this.#context.logger.warn('refresh_refused', { reason: 'another identity', address: this.#connection.remoteAddress });
      return this.#endAccess('refused');
    }
    this.#allowed = { ...decision, identity };
    if (before === undefined && identity !== undefined) this.#context.directory?.add(this);
    this.#narrow(decision.grants);
    this.#context.expiry.set(this, decision.expiresAtMs);
    this.#socket.sendControl({ type: 'refreshed', data: { expiresAtMs: decision.expiresAtMs ?? null } });
  }

  // Expiring: the access ends at its time.

  expiring(expiresAtMs: number): boolean {
    this.#socket.sendControl({ type: 'expiring', data: { expiresAtMs } });
    return this.#socket.positions;
  }

  expire(): void {
    this.#endAccess('expired');
  }

  // Revocable: an operator ends the access.

  get identity(): string | undefined {
    return this.#allowed.identity;
  }

  /** Unix milliseconds at which the access ends; `undefined` when it does not. */
  get expiresAtMs(): number | undefined {
    return this.#allowed.expiresAtMs;
  }

  /** Id of the session for operators. It is made at the first read. */
  get sessionId(): string {
    this.#sessionId ??= this.#context.why?.ids.make() ?? randomUUID();
    return this.#sessionId;
  }

  /** The id of the session if somebody has read it. */
  get knownSessionId(): string | undefined {
    return this.#sessionId;
  }

  revoke(): void {
    this.#endAccess('revoked');
  }

  /** Ends the session with its joins and leases. Drops the bytes that the kernel has not taken, so that nothing more is delivered. */
  #endAccess(because: 'expired' | 'revoked' | 'refused'): void {
    if (!this.#socket.open) return;
    this.#socket.because = ACCESS_ENDS[because];
    this.onClose(CLOSE_CODES[because].code);
    const unsent = this.#connection.buffered > 0;
    this.#connection.close(because);
    if (unsent) this.#connection.destroy();
  }

  /** Decides the joins that wait for their functions. */
  async #decide(pending: PendingJoins): Promise<void> {
    await decidePending(pending, {
      triggers: this.#context.triggers,
      grants: () => this.#allowed.grants,
      event: ({ subscriptionId, streamName: stream, groupId: group, itemId }) => this.#event(subscriptionId, { stream, group }, itemId),
      join: (message, lease) => this.#join(message, lease),
      end: (subscriptionId) => this.#endMembership(subscriptionId),
      refuse: (join) => this.#refuseJoin(join),
    });
    this.#pending = undefined;
  }

  /** Reports a join that is not allowed, and resolves when the client may get the next frame. */
  #refuseJoin(join: RefusedJoin): Promise<void> {
    if (this.#context.logger.isDebug === true) this.#debug('join_refused', join.subscriptionId, join, join.item);
    return reportRefusedJoin(this.#context, this.#socket, join);
  }

  /** Ends the joins and leases that another token does not allow. */
  #narrow(grants: TokenGrants | undefined): void {
    if (grants === undefined) return;
    for (const [id, { subscription, item }] of Array.from(this.#memberships?.entries() ?? [])) {
      const { stream, group } = subscription.fanout;
      if (!grants.mayJoin(stream, group, item)) {
        this.#endMembership(id);
        this.#socket.inBackground(this.#refuseJoin({ subscriptionId: id, stream, group, item, ...NOT_GRANTED }), 'stream_join');
      } else if (!grants.mayLease(stream, group)) this.#leases?.withdraw(id);
    }
  }

  #join(message: StreamJoin, grant?: LeaseGrant, id: string = message.subscriptionId): void {
    const ref = { stream: message.streamName, group: message.groupId };
    if (grant !== undefined || this.#leases !== undefined) {
      this.#leases ??= new SessionLeases(this.#context.leases);
      this.#refuseLease(message.subscriptionId, this.#leases.replace(id, ref, grant));
    }
    this.#memberships ??= new SessionMemberships();
    const replaced = this.#memberships.get(id);
    const subscription = this.#memberships.subscriptionOf(ref) ?? this.#context.hub.open(this.#socket, ref);
    const { subscriptionId, itemId: item, since } = message;
    this.#memberships.set(id, this.#context.hub.join(subscription, { subscriptionId, item, since }));
    if (this.#context.logger.isDebug === true) this.#debug('client_joined', id, ref, item);
    if (replaced === undefined) return;
    this.#leaveHub(replaced);
    const { fanout } = replaced.subscription;
    if (replaced.item === message.itemId && fanout.stream === ref.stream && fanout.group === ref.group) return;
    this.#context.triggers.left(this.#event(id, fanout, replaced.item));
  }

  #endMembership(subscriptionId: string): void {
    const membership = this.#memberships?.get(subscriptionId);
    if (membership === undefined) return;
    this.#memberships?.delete(subscriptionId);
    this.#leases?.leave(subscriptionId);
    this.#leaveHub(membership);
    if (this.#context.logger.isDebug === true) this.#debug('client_left', subscriptionId, membership.subscription.fanout, membership.item);
    this.#context.triggers.left(this.#event(subscriptionId, membership.subscription.fanout, membership.item));
  }

  #debug(event: 'client_joined' | 'client_left' | 'join_refused', subscription: string, { stream, group }: GroupRef, item?: string): void {
    this.#context.logger.debug(event, { session: this.sessionId, subscription, stream, group, item });
  }

  #leaveHub(membership: Membership): void {
    if (this.#context.hub.leave(membership)) this.#memberships?.forget(membership.subscription);
  }

  #event(subscriptionId: string, ref: GroupRef, item: string | undefined): JoinEvent {
    return joinEvent(subscriptionId, ref, item, this.#allowed);
  }
}
