import { randomUUID } from 'node:crypto';
import { decodeStreamMessage, type StreamJoin } from '@rivulet/protocol';
import type { StreamConfig } from '../config/config.js';
import type { Logger } from '../logging/logger.js';
import { isValidId } from '../store/ids.js';
import type { GroupRef } from '../store/store.js';
import { encodeTextFrame } from '../structures/websocket-frame.js';
import type { Connection, ConnectionOwner } from '../transport/connection.js';
import type { FrameEncoder } from './frame-encoder.js';
import type { Hub } from './hub.js';
import type { Membership, Subscriber, Subscription } from './subscription.js';
import type { JoinEvent, SubscriptionTriggers } from './subscription-triggers.js';

/** What all sessions of a gateway share; one object, since a session is paid for ten thousand times. */
export interface SessionRoom {
  readonly hub: Hub;
  readonly triggers: SubscriptionTriggers;
  readonly frames: FrameEncoder;
  readonly config: Pick<StreamConfig, 'maxBufferedBytes' | 'maxSubscriptionsPerConnection'>;
  readonly logger: Logger;
  readonly sessions: Set<StreamSession>;
}

interface PendingJoin {
  readonly message: StreamJoin;
  /** The client left or closed before the join functions answered. */
  cancelled: boolean;
}

/** One stream client: its joins in order, its memberships, and the socket that the hub writes to. */
export class StreamSession implements ConnectionOwner, Subscriber {
  readonly #room: SessionRoom;
  readonly #connection: Connection;
  /** From the auth function; handed to join and leave functions. */
  readonly #context: unknown;
  #memberships: Map<string, Membership> | undefined;
  #pending: PendingJoin[] | undefined;
  #waiting: (() => void)[] | undefined;
  #held = false;
  open = true;

  constructor(room: SessionRoom, connection: Connection, context: unknown) {
    this.#room = room;
    this.#connection = connection;
    this.#context = context;
    room.sessions.add(this);
  }

  /** Joins as if the client had asked (the path form of the URL). */
  joinByPath(ref: GroupRef, item: string | undefined): void {
    this.#enqueue({ type: 'join', subscriptionId: randomUUID(), streamName: ref.stream, groupId: ref.group, itemId: item });
  }

  onText(text: string): void {
    const decoded = decodeStreamMessage(text);
    if (decoded.kind !== 'message') {
      if (decoded.kind === 'invalid') this.#room.logger.debug('stream_frame_ignored', { code: decoded.code, reason: decoded.reason });
      return;
    }
    if (decoded.message.type === 'join') this.#enqueue(decoded.message);
    else this.#leave(decoded.message.subscriptionId);
  }

  onBinary(data: Buffer): void {
    this.onText(data.toString());
  }

  onDrain(): void {
    this.#wake();
  }

  onClose(): void {
    if (!this.open) return;
    this.open = false;
    this.#room.sessions.delete(this);
    for (const pending of this.#pending ?? []) pending.cancelled = true;
    const memberships = this.#memberships;
    this.#memberships = undefined;
    for (const [id, membership] of memberships ?? []) {
      this.#room.hub.leave(membership);
      this.#room.triggers.left(this.#event(id, membership.subscription.fanout, membership.item));
    }
    this.#wake();
  }

  // Subscriber: what the hub uses.

  write(frames: Buffer): void {
    this.#connection.write(frames);
  }

  get ready(): boolean {
    return !this.#held && this.#connection.buffered <= this.#room.config.maxBufferedBytes;
  }

  get hasRoom(): boolean {
    return this.#connection.buffered <= this.#room.config.maxBufferedBytes;
  }

  /** Bytes owned by this session: what its socket has not taken yet. */
  get ownedBytes(): number {
    return this.#connection.buffered;
  }

  whenChanged(): Promise<void> {
    if (!this.open) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  tryHold(): boolean {
    if (!this.ready) return false;
    this.#held = true;
    return true;
  }

  release(): void {
    this.#held = false;
    this.#wake();
  }

  fail(because: 'internal' | 'tryLater'): void {
    if (because === 'tryLater') this.#room.logger.warn('snapshot_abandoned', { address: this.#connection.remoteAddress });
    this.#connection.close(because);
  }

  /** Ends the connection because the engine stops. */
  restart(): void {
    this.#connection.close('restart');
  }

  #wake(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    for (const resolve of waiting) resolve();
  }

  /** Joins of one socket take effect in order; while their functions run, everything else of the socket goes on. */
  #enqueue(message: StreamJoin): void {
    const { streamName, groupId, itemId } = message;
    if (!isValidId(streamName) || !isValidId(groupId) || (itemId !== undefined && !isValidId(itemId))) {
      this.#room.logger.warn('join_ignored', { code: 'INVALID_ID' });
      return;
    }
    const limit = this.#room.config.maxSubscriptionsPerConnection;
    const pending = this.#pending?.length ?? 0;
    const replaces = this.#memberships?.has(message.subscriptionId) === true;
    if (pending >= limit || (!replaces && (this.#memberships?.size ?? 0) + pending >= limit)) {
      this.#room.logger.warn('join_ignored', { code: 'TOO_MANY_SUBSCRIPTIONS', limit });
      return;
    }
    if (this.#pending === undefined && this.#room.triggers.open) {
      this.#join(message);
      return;
    }
    const join = { message, cancelled: false };
    if (this.#pending !== undefined) {
      this.#pending.push(join);
      return;
    }
    this.#pending = [join];
    void this.#decide();
  }

  async #decide(): Promise<void> {
    for (let next = this.#pending?.[0]; next !== undefined; next = this.#pending?.[0]) {
      const { message } = next;
      if (next.cancelled) {
        // Nobody was asked, so nobody has to hear that it left.
        this.#pending?.shift();
        continue;
      }
      const event = this.#event(message.subscriptionId, { stream: message.streamName, group: message.groupId }, message.itemId);
      const allowed = await this.#room.triggers.allows(event);
      this.#pending?.shift();
      if (!allowed) {
        if (!next.cancelled) this.#end(message.subscriptionId);
        await this.#writeBetween(encodeTextFrame(this.#room.frames.unauthorized(message.streamName, message.groupId)));
      } else if (next.cancelled) {
        this.#room.triggers.left(event);
      } else {
        this.#join(message);
      }
    }
    this.#pending = undefined;
  }

  /** Writes a frame that belongs to no group, when no message of several fragments is under way. */
  async #writeBetween(frame: Buffer): Promise<void> {
    while (this.open && this.#held) await this.whenChanged();
    if (this.open) this.#connection.write(frame);
  }

  #join(message: StreamJoin): void {
    const ref = { stream: message.streamName, group: message.groupId };
    this.#memberships ??= new Map();
    const replaced = this.#memberships.get(message.subscriptionId);
    const subscription = this.#subscriptionOf(ref) ?? this.#room.hub.open(this, ref);
    this.#memberships.set(message.subscriptionId, this.#room.hub.join(subscription, message.itemId));
    if (replaced === undefined) return;
    this.#room.hub.leave(replaced);
    const { fanout } = replaced.subscription;
    if (replaced.item === message.itemId && fanout.stream === ref.stream && fanout.group === ref.group) return;
    this.#room.triggers.left(this.#event(message.subscriptionId, fanout, replaced.item));
  }

  #leave(subscriptionId: string): void {
    for (const pending of this.#pending ?? []) {
      if (pending.message.subscriptionId === subscriptionId) pending.cancelled = true;
    }
    this.#end(subscriptionId);
  }

  #end(subscriptionId: string): void {
    const membership = this.#memberships?.get(subscriptionId);
    if (membership === undefined) return;
    this.#memberships?.delete(subscriptionId);
    this.#room.hub.leave(membership);
    this.#room.triggers.left(this.#event(subscriptionId, membership.subscription.fanout, membership.item));
  }

  #subscriptionOf(ref: GroupRef): Subscription | undefined {
    for (const { subscription } of this.#memberships?.values() ?? []) {
      if (subscription.fanout.stream === ref.stream && subscription.fanout.group === ref.group) return subscription;
    }
    return undefined;
  }

  #event(subscriptionId: string, ref: GroupRef, item: string | undefined): JoinEvent {
    return {
      subscription_id: subscriptionId,
      stream_name: ref.stream,
      group_id: ref.group,
      id: item ?? null,
      context: this.#context ?? null,
    };
  }
}
