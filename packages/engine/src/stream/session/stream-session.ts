import { randomUUID } from 'node:crypto';
import { CLOSE_CODES, decodeStreamMessage, type StreamJoin } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { Expiring, ExpiryWatch } from '../../core/revocation/expiry-watch.js';
import type { Revocable, SessionDirectory } from '../../core/revocation/session-directory.js';
import type { Logger } from '../../logging/logger.js';
import { isValidId } from '../../store/shared/ids.js';
import type { GroupRef } from '../../store/store.js';
import type { Connection, ConnectionOwner } from '../../transport/connection.js';
import type { InboundMeter } from '../../transport/inbound-meter.js';
import { encodeTextFrame } from '../../transport/websocket-frame.js';
import type { Hub } from '../fanout/hub.js';
import type { Membership } from '../fanout/subscription.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import type { LeaseGrant, Leases } from '../leases/leases.js';
import { NOT_LEASED, type Refusal, SessionLeases } from '../leases/session-leases.js';
import type { AuthDecision } from './auth-gate.js';
import { type JoinEvent, type JoinLeaveTriggers, joinEvent } from './join-leave-triggers.js';
import type { EvictableConnection } from './outage-eviction.js';
import { PendingJoins } from './pending-joins.js';
import { Refreshes, type SessionAuth } from './session-auth.js';
import { SessionMemberships } from './session-memberships.js';
import { type SessionOutlet, SessionSocket } from './session-socket.js';
import type { PathJoin } from './upgrade-target.js';

/** The context that all sessions of a gateway share. It is one object, because an engine has thousands of sessions. */
export interface StreamSessionContext {
  readonly hub: Hub;
  readonly triggers: JoinLeaveTriggers;
  readonly leases: Leases;
  readonly frames: FrameEncoder;
  readonly config: Pick<StreamConfig, 'maxBufferedBytes' | 'maxSubscriptionsPerConnection'>;
  readonly logger: Logger;
  readonly sessions: Set<StreamSession>;
  readonly expiry: ExpiryWatch;
  /** Sessions by the identity of their user. Absent in simulations. */
  readonly directory?: SessionDirectory | undefined;
}

/** The connection of a session: a WebSocket, or an event stream of plain HTTP. */
export type SessionConnection = SessionOutlet & Pick<Connection, 'destroy'>;

/** The leases of a session that has none. */
const NO_LEASES = { update: (): Refusal => NOT_LEASED };

/**
 * One stream client: its joins, its memberships, and the socket that the hub writes to.
 *
 * Joins take effect in their order. While the functions of a join run, later joins wait, and everything else goes on.
 */
export class StreamSession implements ConnectionOwner, Expiring, Revocable, EvictableConnection {
  static #opened = 0;
  /** Grows from one session of this process to the next. Lists of sessions go on after a number. */
  readonly number = ++StreamSession.#opened;
  readonly meter: InboundMeter | undefined;
  readonly #context: StreamSessionContext;
  readonly #connection: SessionConnection;
  readonly #socket: SessionSocket;
  readonly #access: SessionAuth;
  /** Context of the auth function. Join and leave functions get it. */
  #authContext: unknown;
  #identity: string | undefined;
  #sessionId: string | undefined;
  #memberships: SessionMemberships | undefined;
  #pending: PendingJoins | undefined;
  /** Leases of the joins; absent until there is one. */
  #leases: SessionLeases | undefined;
  #warnedJoin = false;
  #refreshes: Refreshes | undefined;

  constructor(context: StreamSessionContext, connection: SessionConnection, access: SessionAuth, meter?: InboundMeter) {
    this.meter = meter;
    this.#context = context;
    this.#connection = connection;
    this.#socket = new SessionSocket(connection, context);
    this.#access = access;
    this.#authContext = access.now.context;
    this.#identity = access.now.identity;
    context.sessions.add(this);
    context.directory?.add(this);
    if (access.now.expiresAtMs !== undefined) context.expiry.set(this, access.now.expiresAtMs);
  }

  /** Joins what the path of the URL names. */
  joinByPath(target: PathJoin): void {
    const { stream: streamName, group: groupId, item: itemId, positions, since } = target;
    this.#enqueue({ type: 'join', subscriptionId: randomUUID(), streamName, groupId, itemId, positions, since });
  }

  /** Joins as a position-aware client, when the functions of `stream:join` have allowed it already. */
  admit(message: StreamJoin, lease: LeaseGrant | undefined): void {
    if (!this.#socket.open) return;
    this.#socket.positions = true;
    this.#join(message, lease);
  }

  onText(text: string): void {
    const decoded = decodeStreamMessage(text);
    if (decoded.kind !== 'message') {
      if (decoded.kind === 'invalid') this.#context.logger.debug('stream_frame_ignored', { code: decoded.code, reason: decoded.reason });
      return;
    }
    const { message } = decoded;
    switch (message.type) {
      case 'join':
        this.meter?.request();
        this.#enqueue(message);
        break;
      case 'leave':
        this.#leave(message.subscriptionId);
        break;
      case 'refresh':
        this.#refresh(message.token);
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
    this.#context.sessions.delete(this);
    this.#context.directory?.remove(this);
    this.#context.expiry.delete(this);
    this.#pending?.cancelAll();
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
    let lag = 0;
    for (const { subscription } of this.#memberships?.values() ?? []) lag = Math.max(lag, subscription.lag);
    return lag;
  }

  // EvictableConnection: an outage may make the connection useless.

  get unavailableSince(): number | undefined {
    let since: number | undefined;
    for (const { subscription } of this.#memberships?.values() ?? []) {
      const unavailable = this.#context.hub.unavailableSince(subscription);
      if (unavailable === undefined) return undefined;
      since = Math.max(since ?? unavailable, unavailable);
    }
    return since;
  }

  evict(): void {
    this.#connection.close('tryLater');
  }

  /** Whether the client is position-aware. */
  get positions(): boolean {
    return this.#socket.positions;
  }

  /** Number of memberships. */
  get subscriptions(): number {
    return this.#memberships?.size ?? 0;
  }

  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }

  /** Closes the connection, because the engine stops. */
  restart(): void {
    this.#connection.close('restart');
  }

  /** Checks a join, and joins at once or queues it for the join functions. */
  #enqueue(message: StreamJoin): void {
    if (!this.#socket.open) return;
    const { streamName, groupId, itemId } = message;
    if (message.positions) this.#socket.positions = true;
    if (!isValidId(streamName) || !isValidId(groupId) || (itemId !== undefined && !isValidId(itemId))) {
      this.#ignore(message, 'INVALID_ID', 'stream, group and item are at most 256 bytes of UTF-8 without control characters');
      return;
    }
    const limit = this.#context.config.maxSubscriptionsPerConnection;
    const pending = this.#pending?.size ?? 0;
    const replaces = this.#memberships?.has(message.subscriptionId) === true;
    if (pending >= limit || (!replaces && (this.#memberships?.size ?? 0) + pending >= limit)) {
      this.#ignore(message, 'TOO_MANY_SUBSCRIPTIONS', `a connection has at most ${limit} subscriptions; leave some, or open another`);
      return;
    }
    if (this.#pending === undefined && this.#context.triggers.open) {
      this.#join(message);
      return;
    }
    const isDeciding = this.#pending !== undefined;
    this.#pending ??= new PendingJoins();
    this.#pending.add(message);
    if (!isDeciding) this.#socket.inBackground(this.#decide(this.#pending), 'stream_join');
  }

  /**
   * Reports a join that has no effect. A position-aware client gets an error. For other clients the first one of a connection is a warning
   * in the log.
   */
  #ignore({ subscriptionId }: StreamJoin, code: 'INVALID_ID' | 'TOO_MANY_SUBSCRIPTIONS', message: string): void {
    this.#context.hub.counters.refusedJoins[code === 'INVALID_ID' ? 'invalid_id' : 'too_many']++;
    this.#context.logger[this.#warnedJoin || this.#socket.positions ? 'debug' : 'warn']('join_ignored', {
      code,
      message,
      address: this.#connection.remoteAddress,
    });
    this.#warnedJoin = true;
    this.#socket.sendControl({ type: 'error', data: { subscriptionId, code, message } });
  }

  /** Sends the reason of a refused lease. */
  #refuseLease(subscriptionId: string, refusal: Refusal | undefined): void {
    if (refusal !== undefined) this.#socket.sendControl({ type: 'error', data: { subscriptionId, ...refusal } });
  }

  /** Renews the access with another token (rule RV-14). */
  #refresh(token: string): void {
    const ask = this.#access.decideAgain;
    if (ask === undefined) {
      this.#socket.sendControl({ type: 'refreshed', data: { expiresAtMs: null } });
      return;
    }
    this.#refreshes ??= new Refreshes(
      ask,
      (decision) => this.#refreshed(decision),
      (error) => this.#socket.failed('stream_refresh', error),
    );
    this.#refreshes.refresh(token);
  }

  #refreshed(decision: AuthDecision): void {
    if (!this.#socket.open) return;
    if (decision.kind === 'refused') {
      this.#connection.close(decision.close);
      return;
    }
    const { identity } = decision;
    // The join functions allowed the first user. Another user must open a connection.
    if (identity !== undefined && this.#identity !== undefined && identity !== this.#identity) {
      this.#context.logger.warn('refresh_refused', { reason: 'another identity', address: this.#connection.remoteAddress });
      this.#endAccess('refused');
      return;
    }
    if (identity !== undefined && this.#identity === undefined) {
      this.#identity = identity;
      this.#context.directory?.add(this);
    }
    this.#authContext = decision.context;
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
    return this.#identity;
  }

  /** Id of the session for operators. It is made at the first read. */
  get sessionId(): string {
    this.#sessionId ??= randomUUID();
    return this.#sessionId;
  }

  /** Returns whether the session has this id. Makes no id. */
  hasSessionId(id: string): boolean {
    return this.#sessionId === id;
  }

  revoke(): void {
    this.#endAccess('revoked');
  }

  /** Ends the session with its joins and leases. Drops the bytes that the kernel has not taken, so that nothing more is delivered. */
  #endAccess(because: 'expired' | 'revoked' | 'refused'): void {
    if (!this.#socket.open) return;
    this.onClose(CLOSE_CODES[because].code);
    const unsent = this.#connection.buffered > 0;
    this.#connection.close(because);
    if (unsent) this.#connection.destroy();
  }

  async #decide(pending: PendingJoins): Promise<void> {
    for (let message = pending.first; message !== undefined; message = pending.first) {
      if (pending.isFirstCancelled) {
        // No join function was called, so no leave function is called.
        pending.shift();
        continue;
      }
      const { subscriptionId, streamName, groupId, itemId } = message;
      const event = this.#event(subscriptionId, { stream: streamName, group: groupId }, itemId);
      const decision = await this.#context.triggers.decide(event);
      const cancelled = pending.isFirstCancelled;
      pending.shift();
      if (!decision.allowed) {
        if (!cancelled) this.#endMembership(subscriptionId);
        this.#socket.sendControl({ type: 'error', data: { subscriptionId, code: 'FORBIDDEN', message: 'the join was refused' } });
        this.#context.hub.counters.refusedJoins[decision.because]++;
        if (this.#context.logger.isDebug === true)
          this.#debug('join_refused', subscriptionId, { stream: streamName, group: groupId }, itemId);
        await this.#socket.writeBetween(encodeTextFrame(this.#context.frames.unauthorized(streamName, groupId, itemId)));
      } else if (cancelled) {
        this.#context.triggers.left(event);
      } else {
        this.#join(message, decision.lease);
      }
    }
    this.#pending = undefined;
  }

  #join(message: StreamJoin, grant?: LeaseGrant): void {
    const ref = { stream: message.streamName, group: message.groupId };
    if (grant !== undefined || this.#leases !== undefined) {
      this.#leases ??= new SessionLeases(this.#context.leases);
      this.#refuseLease(message.subscriptionId, this.#leases.replace(message.subscriptionId, ref, grant));
    }
    this.#memberships ??= new SessionMemberships();
    const replaced = this.#memberships.get(message.subscriptionId);
    const subscription = this.#memberships.subscriptionOf(ref) ?? this.#context.hub.open(this.#socket, ref);
    const { subscriptionId, itemId: item, since } = message;
    this.#memberships.set(subscriptionId, this.#context.hub.join(subscription, { subscriptionId, item, since }));
    if (this.#context.logger.isDebug === true) this.#debug('client_joined', subscriptionId, ref, item);
    if (replaced === undefined) return;
    this.#leaveHub(replaced);
    const { fanout } = replaced.subscription;
    if (replaced.item === message.itemId && fanout.stream === ref.stream && fanout.group === ref.group) return;
    this.#context.triggers.left(this.#event(message.subscriptionId, fanout, replaced.item));
  }

  #leave(subscriptionId: string): void {
    this.#pending?.cancel(subscriptionId);
    this.#endMembership(subscriptionId);
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
    return joinEvent(subscriptionId, ref, item, { context: this.#authContext, identity: this.#identity });
  }
}
