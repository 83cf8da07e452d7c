import { LIMITS } from '@rivulet/protocol';
import { type Logger, silentLogger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import { type Clock, type ClockTimer, timersOf } from '../../structures/clock.js';
import type { Verdict } from '../../transport/listener.js';
import type { UpgradeRequest } from '../../transport/upgrade/upgrade-request.js';
import type { Caller } from '../fabric/invocation.js';
import type { Channel, ChannelDirection } from './channel.js';
import { ChannelPool, type ChannelTable } from './channel-pool.js';
import { readChannelTarget } from './channel-url.js';
import { collectYoungGarbage } from './collect-young-garbage.js';
import { ReaderSocket, refuseTaken, WriterSocket } from './socket-endpoints.js';

const SWEEP_MS = 60_000;
const CLOSE_MS = 1_000;
/** Bytes of all channels after which V8 frees the buffers that they came in. */
const COLLECT_EVERY_BYTES = 8_388_608;
/** Trusted workers have a bound for all of them together only. */
const UNBOUNDED = { bytes: Number.POSITIVE_INFINITY, unsent: Number.POSITIVE_INFINITY, unfinished: Number.POSITIVE_INFINITY };

/**
 * The channels of an engine. Every worker listener serves all of them, because the key in a reference is the right to use a channel (spec
 * RB §5.6).
 */
export class Channels implements ChannelTable {
  readonly #channels = new Map<string, Channel>();
  readonly #ofEngine = new ChannelPool(this, {
    bytes: LIMITS.channelsBytes,
    channels: LIMITS.channels,
    perOwner: LIMITS.channels,
    share: UNBOUNDED,
  });
  readonly #ofWorkers = new ChannelPool(this, {
    bytes: LIMITS.channelsBytes,
    channels: LIMITS.channels,
    perOwner: LIMITS.channelsPerWorker,
    share: UNBOUNDED,
  });
  readonly #ofSessions = new ChannelPool(this, {
    bytes: LIMITS.sessionChannelsBytes,
    channels: LIMITS.sessionChannels,
    perOwner: LIMITS.channelsPerSession,
    share: {
      bytes: LIMITS.guestChannelBytes,
      unsent: LIMITS.guestChannelUnsentBytes,
      unfinished: LIMITS.guestChannelUnfinishedBytes,
    },
  });
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #takingTurns: RepeatedLine;
  readonly #timer: ClockTimer;
  #sockets = 0;
  #uncollected = 0;
  #allClosed: (() => void) | undefined;

  constructor(clock: Clock, logger: Logger = silentLogger) {
    this.#clock = clock;
    this.#logger = logger;
    this.#takingTurns = new RepeatedLine(clock);
    this.#timer = timersOf(clock).every(SWEEP_MS, () => this.sweep());
    this.#timer.unref();
  }

  /** Channels that have not ended. */
  get size(): number {
    return this.#channels.size;
  }

  /** Bytes that the channels hold, with 256 more for each message. */
  get held(): number {
    return this.#ofEngine.held + this.#ofWorkers.held + this.#ofSessions.held;
  }

  /** Bytes that were read from writers of guests, of messages that are not whole. */
  get unfinishedBytes(): number {
    return this.#ofSessions.unfinishedBytes;
  }

  /**
   * Creates a channel. Throws `OVERLOADED`.
   *
   * @param messages Messages that the channel may hold, 1 to `LIMITS.channelMessagesAsked`.
   * @param owner The worker that creates it. Channels without one belong to the engine, whose code bounds their number.
   */
  create(messages: number = LIMITS.channelMessages, owner?: Pick<Caller, 'workerId' | 'access'>): Channel {
    const channel = this.#poolOf(owner).create(messages, owner?.workerId);
    this.#channels.set(channel.id, channel);
    return channel;
  }

  /**
   * Returns the channel with this id and key. `undefined` for an unknown id and for a wrong key alike, so that a peer can't tell them
   * apart.
   */
  find(id: string, direction: ChannelDirection, key: string): Channel | undefined {
    const channel = this.#channels.get(id);
    return channel?.opens(direction, key) === true ? channel : undefined;
  }

  /** Returns the verdict about an upgrade of a worker listener; `undefined` when it names no channel. */
  route(request: UpgradeRequest): Verdict | undefined {
    const target = readChannelTarget(request);
    if (target.kind === 'other') return undefined;
    if (target.kind === 'invalid') return { kind: 'refuse', status: 400 };
    const { id, direction, key } = target;
    const channel = this.find(id, direction, key);
    if (channel === undefined) return { kind: 'refuse', status: 404 };
    return {
      kind: 'accept',
      protocol: request.protocols[0],
      bulk: true,
      open: (connection) => {
        const socket = new (direction === 'read' ? ReaderSocket : WriterSocket)(channel, connection, () => this.#onSocketClosed());
        if (!socket.attach()) return refuseTaken(connection);
        this.#sockets++;
        return socket;
      },
    };
  }

  /**
   * Removes the channels of a disconnected worker that no endpoint has ever used. The others stay: their endpoints are sockets of their
   * own, perhaps of other workers, and written messages may still be read.
   */
  ownerDisconnected(workerId: string): void {
    for (const pool of [this.#ofWorkers, this.#ofSessions])
      for (const channel of pool.ownedBy(workerId)) if (!channel.used) channel.end('readerGone');
  }

  /** Ends all channels of a creator whose access has ended, also for endpoints of other workers. */
  revoke(workerId: string, because: 'revoked' | 'expired'): void {
    for (const pool of [this.#ofWorkers, this.#ofSessions]) for (const channel of pool.ownedBy(workerId)) channel.end(because);
  }

  /**
   * Removes the channels to which nothing was connected for `LIMITS.channelIdleMs`. The engine does not read a writer that is held back, so
   * it can't see that writer's end. After the same time it probes the peer.
   */
  sweep(): void {
    const before = this.#clock.monotonic() - LIMITS.channelIdleMs;
    for (const channel of this.#channels.values()) {
      const { idleSince } = channel;
      if (idleSince !== undefined && idleSince <= before) channel.end('readerGone');
      else channel.probePeer(before);
    }
  }

  /** Ends every channel with 1012. Resolves when the sockets have closed, or after one second. */
  async close(): Promise<void> {
    timersOf(this.#clock).cancel(this.#timer);
    for (const channel of this.#channels.values()) channel.end('restart');
    if (this.#sockets === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MS);
      this.#allClosed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  passed(bytes: number): void {
    this.#uncollected += bytes;
    if (this.#uncollected < COLLECT_EVERY_BYTES) return;
    this.#uncollected = 0;
    collectYoungGarbage();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  remove(channel: Channel): void {
    this.#channels.delete(channel.id);
  }

  takesTurns(owner: string): void {
    const limit = LIMITS.guestChannelUnfinishedBytes;
    this.#takingTurns.add((times) => this.#logger.warn('channel_writers_take_turns', { worker: owner, limit, times }));
  }

  /** Returns the pool of an owner. Guests take no capacity from workers, and HTTP requests take none from either. */
  #poolOf(owner: Pick<Caller, 'access'> | undefined): ChannelPool {
    if (owner === undefined) return this.#ofEngine;
    return owner.access === undefined ? this.#ofWorkers : this.#ofSessions;
  }

  #onSocketClosed(): void {
    this.#sockets--;
    if (this.#sockets === 0) this.#allClosed?.();
  }
}
