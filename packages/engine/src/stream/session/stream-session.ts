import { randomUUID } from 'node:crypto';
import { CLOSE_CODES, type ControlFrame, decodeStreamMessage, type ErrorCode, type StreamJoin } from '@rivulet/protocol';
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
import type { Subscriber } from '../fanout/subscriber.js';
import type { Membership } from '../fanout/subscription.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import type { LeaseGrant, Leases } from '../leases/leases.js';
import { NOT_LEASED, type Refusal, SessionLeases } from '../leases/session-leases.js';
import type { AuthDecision } from './auth-gate.js';
import type { JoinEvent, JoinLeaveTriggers } from './join-leave-triggers.js';
import type { EvictableConnection } from './outage-eviction.js';
import { PendingJoins } from './pending-joins.js';
import { Refreshes, type SessionAuth } from './session-auth.js';
import { SessionMemberships } from './session-memberships.js';
import type { PathJoin } from './upgrade-target.js';

/** What all sessions of a gateway share; one object, since a session is paid for ten thousand times. */
export interface StreamSessionContext {
  readonly hub: Hub;
  readonly triggers: JoinLeaveTriggers;
  readonly leases: Leases;
  readonly frames: FrameEncoder;
  readonly config: Pick<StreamConfig, 'maxBufferedBytes' | 'maxSubscriptionsPerConnection'>;
  readonly logger: Logger;
  readonly sessions: Set<StreamSession>;
  readonly expiry: ExpiryWatch;
  /** Sessions by the identity of their user; absent in simulations. */
  readonly directory?: SessionDirectory | undefined;
}

/** Of a session that holds nothing. */
const NO_LEASES = { update: (): Refusal => NOT_LEASED };

/** One stream client: its joins in order, its memberships, and the socket that the hub writes to. */
export class StreamSession implements ConnectionOwner, Subscriber, Expiring, Revocable, EvictableConnection {
  readonly meter: InboundMeter | undefined;
  readonly #context: StreamSessionContext;
  readonly #connection: Connection;
  readonly #access: SessionAuth;
  /** From the auth function; handed to join and leave functions. */
  #authContext: unknown;
  #identity: string | undefined;
  #sessionId: string | undefined;
  #memberships: SessionMemberships | undefined;
  #pending: PendingJoins | undefined;
  /** What its joins hold; absent until there is something. */
  #leases: SessionLeases | undefined;
  #waiting: (() => void)[] | undefined;
  #held = false;
  #warnedJoin = false;
  /** Control frames that wait until the socket takes them. */
  #owed = 0;
  #refreshes: Refreshes | undefined;
  open = true;
  positions = false;

  constructor(context: StreamSessionContext, connection: Connection, access: SessionAuth, meter?: InboundMeter) {
    this.meter = meter;
    this.#context = context;
    this.#connection = connection;
    this.#access = access;
    this.#authContext = access.now.context;
    this.#identity = access.now.identity;
    context.sessions.add(this);
    context.directory?.add(this);
    if (access.now.expiresAtMs !== undefined) context.expiry.set(this, access.now.expiresAtMs);
  }

  /** Joins as if the client had asked (the path form of the URL). */
  joinByPath(target: PathJoin): void {
    const { stream: streamName, group: groupId, item: itemId, positions, since } = target;
    this.#enqueue({ type: 'join', subscriptionId: randomUUID(), streamName, groupId, itemId, positions, since });
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
        this.#complain(message.subscriptionId, (this.#leases ?? NO_LEASES).update(message.subscriptionId, message.data));
        break;
      default:
        message satisfies never;
    }
  }

  onBinary(data: Buffer): void {
    this.onText(data.toString());
  }

  onDrain(): void {
    this.#wake();
  }

  onClose(code: number): void {
    if (!this.open) return;
    this.open = false;
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
    this.#wake();
  }

  // Subscriber: what the hub uses.

  write(frames: Buffer): void {
    this.#connection.write(frames);
  }

  get ready(): boolean {
    return !this.#held && this.#connection.buffered <= this.#context.config.maxBufferedBytes;
  }

  get hasRoom(): boolean {
    return this.#connection.buffered <= this.#context.config.maxBufferedBytes;
  }

  /** Bytes owned by this session: what its socket has not taken yet. */
  get ownedBytes(): number {
    return this.#connection.buffered;
  }

  /** Changes that it does not have yet, of the group that it is furthest behind in. */
  get lag(): number {
    let lag = 0;
    for (const { subscription } of this.#memberships?.values() ?? []) lag = Math.max(lag, subscription.lag);
    return lag;
  }

  // EvictableConnection: nothing of what it watches can be reached.

  get unavailableSince(): number | undefined {
    let since: number | undefined;
    for (const { subscription } of this.#memberships?.values() ?? []) {
      const away = this.#context.hub.unavailableSince(subscription);
      if (away === undefined) return undefined;
      since = Math.max(since ?? away, away);
    }
    return since;
  }

  evict(): void {
    this.#connection.close('tryLater');
  }

  get subscriptions(): number {
    return this.#memberships?.size ?? 0;
  }

  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }

  whenChanged(): Promise<void> {
    if (!this.open) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  tryLock(): boolean {
    if (!this.ready) return false;
    this.#held = true;
    return true;
  }

  unlock(): void {
    this.#held = false;
    this.#wake();
  }

  fail(because: 'internal' | 'tryLater'): void {
    if (because === 'tryLater') this.#context.logger.warn('snapshot_abandoned', { address: this.#connection.remoteAddress });
    this.#connection.close(because);
  }

  /** Ends the connection because the engine stops. */
  restart(): void {
    this.#connection.close('restart');
  }

  /** A task of this session that nobody awaits; its failure ends this connection and nothing else. */
  #inBackground(work: Promise<void>, task: string): void {
    work.catch((error: unknown) => this.#failed(task, error));
  }

  #failed(task: string, error: unknown): void {
    this.#context.logger.error('background_failed', { task, error, address: this.#connection.remoteAddress });
    this.#connection.close('internal');
  }

  #wake(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    for (const resolve of waiting) resolve();
  }

  /** Joins of one socket take effect in order; while their functions run, everything else of the socket goes on. */
  #enqueue(message: StreamJoin): void {
    if (!this.open) return;
    const { streamName, groupId, itemId } = message;
    if (message.positions) this.positions = true;
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
    if (!isDeciding) this.#inBackground(this.#decide(this.#pending), 'stream_join');
  }

  /** Told to clients that know positions; of others the operator is warned once for each connection, the rest are lines of level debug. */
  #ignore({ subscriptionId }: StreamJoin, code: ErrorCode, message: string): void {
    this.#context.logger[this.#warnedJoin || this.positions ? 'debug' : 'warn']('join_ignored', {
      code,
      message,
      address: this.#connection.remoteAddress,
    });
    this.#warnedJoin = true;
    this.#tell({ type: 'error', data: { subscriptionId, code, message } });
  }

  /** A control frame, for those who know them. A client that provokes more than it reads is not told of all. */
  #tell(frame: ControlFrame): void {
    if (!this.positions || this.#owed >= this.#context.config.maxSubscriptionsPerConnection) return;
    this.#owed++;
    this.#inBackground(this.#owe(this.#context.frames.control(frame)), 'stream_control_frame');
  }

  async #owe(frame: Buffer): Promise<void> {
    while (this.open && !this.ready) await this.whenChanged();
    this.#owed--;
    if (this.open) this.#connection.write(frame);
  }

  #complain(subscriptionId: string, refusal: Refusal | undefined): void {
    if (refusal !== undefined) this.#tell({ type: 'error', data: { subscriptionId, ...refusal } });
  }

  /** Asks for more time (rule RV-14). */
  #refresh(token: string): void {
    const ask = this.#access.askAgain;
    if (ask === undefined) {
      this.#tell({ type: 'refreshed', data: { expiresAtMs: null } });
      return;
    }
    this.#refreshes ??= new Refreshes(
      ask,
      (decision) => this.#refreshed(decision),
      (error) => this.#failed('stream_refresh', error),
    );
    this.#refreshes.refresh(token);
  }

  #refreshed(decision: AuthDecision): void {
    if (!this.open) return;
    if (decision.kind === 'refused') {
      this.#connection.close(decision.close);
      return;
    }
    const { identity } = decision;
    // What the session watches was allowed to its first user; another one must connect anew.
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
    this.#tell({ type: 'refreshed', data: { expiresAtMs: decision.expiresAtMs ?? null } });
  }

  // Expiring: what the auth function allowed ends.

  expiring(expiresAtMs: number): boolean {
    this.#tell({ type: 'expiring', data: { expiresAtMs } });
    return this.positions;
  }

  expire(): void {
    this.#endAccess('expired');
  }

  // Revocable: an operator ends it.

  get identity(): string | undefined {
    return this.#identity;
  }

  /** Id for operators, made when it is first read. */
  get sessionId(): string {
    this.#sessionId ??= randomUUID();
    return this.#sessionId;
  }

  /** Returns whether an operator has read this id; it makes none. */
  hasSessionId(id: string): boolean {
    return this.#sessionId === id;
  }

  revoke(): void {
    this.#endAccess('revoked');
  }

  /** The session ends now, with its joins and leases. What the kernel has not taken yet is dropped, so nothing more is delivered. */
  #endAccess(because: 'expired' | 'revoked' | 'refused'): void {
    if (!this.open) return;
    this.onClose(CLOSE_CODES[because].code);
    const unsent = this.#connection.buffered > 0;
    this.#connection.close(because);
    if (unsent) this.#connection.destroy();
  }

  async #decide(pending: PendingJoins): Promise<void> {
    for (let message = pending.first; message !== undefined; message = pending.first) {
      if (pending.isFirstCancelled) {
        // Nobody was asked, so nobody has to hear that it left.
        pending.shift();
        continue;
      }
      const { subscriptionId, streamName, groupId, itemId } = message;
      const event = this.#event(subscriptionId, { stream: streamName, group: groupId }, itemId);
      const decision = await this.#context.triggers.decide(event);
      const cancelled = pending.isFirstCancelled;
      pending.shift();
      if (!decision.allowed) {
        if (!cancelled) this.#end(subscriptionId);
        this.#tell({ type: 'error', data: { subscriptionId, code: 'FORBIDDEN', message: 'the join was refused' } });
        await this.#writeBetween(encodeTextFrame(this.#context.frames.unauthorized(streamName, groupId, itemId)));
      } else if (cancelled) {
        this.#context.triggers.left(event);
      } else {
        this.#join(message, decision.lease);
      }
    }
    this.#pending = undefined;
  }

  /** Writes a frame that belongs to no group, when no message of several fragments is under way. */
  async #writeBetween(frame: Buffer): Promise<void> {
    while (this.open && this.#held) await this.whenChanged();
    if (this.open) this.#connection.write(frame);
  }

  #join(message: StreamJoin, grant?: LeaseGrant): void {
    const ref = { stream: message.streamName, group: message.groupId };
    if (grant !== undefined || this.#leases !== undefined) {
      this.#leases ??= new SessionLeases(this.#context.leases);
      this.#complain(message.subscriptionId, this.#leases.replace(message.subscriptionId, ref, grant));
    }
    this.#memberships ??= new SessionMemberships();
    const replaced = this.#memberships.get(message.subscriptionId);
    const subscription = this.#memberships.subscriptionOf(ref) ?? this.#context.hub.open(this, ref);
    const { subscriptionId, itemId: item, since } = message;
    this.#memberships.set(subscriptionId, this.#context.hub.join(subscription, { subscriptionId, item, since }));
    if (replaced === undefined) return;
    this.#leaveHub(replaced);
    const { fanout } = replaced.subscription;
    if (replaced.item === message.itemId && fanout.stream === ref.stream && fanout.group === ref.group) return;
    this.#context.triggers.left(this.#event(message.subscriptionId, fanout, replaced.item));
  }

  #leave(subscriptionId: string): void {
    this.#pending?.cancel(subscriptionId);
    this.#end(subscriptionId);
  }

  #end(subscriptionId: string): void {
    const membership = this.#memberships?.get(subscriptionId);
    if (membership === undefined) return;
    this.#memberships?.delete(subscriptionId);
    this.#leases?.leave(subscriptionId);
    this.#leaveHub(membership);
    this.#context.triggers.left(this.#event(subscriptionId, membership.subscription.fanout, membership.item));
  }

  #leaveHub(membership: Membership): void {
    if (this.#context.hub.leave(membership)) this.#memberships?.forget(membership.subscription);
  }

  #event(subscriptionId: string, ref: GroupRef, item: string | undefined): JoinEvent {
    return {
      subscription_id: subscriptionId,
      stream_name: ref.stream,
      group_id: ref.group,
      id: item ?? null,
      context: this.#authContext ?? null,
      ...(this.#identity === undefined ? {} : { identity: this.#identity }),
    };
  }
}
