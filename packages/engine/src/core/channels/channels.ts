import { LIMITS } from '@rivulet/protocol';
import { type Logger, silentLogger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import type { Clock } from '../../structures/clock.js';
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
/** Bytes of all channels together after which the buffers that they came in are freed. */
const COLLECT_EVERY_BYTES = 8_388_608;
/** Trusted workers have a bound in total only. */
const UNBOUNDED = { bytes: Number.POSITIVE_INFINITY, unsent: Number.POSITIVE_INFINITY, unfinished: Number.POSITIVE_INFINITY };

/** The channels of an engine. Every worker listener serves all of them: the key in a reference is the right to use it (spec RB §5.6). */
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
  readonly #timer: NodeJS.Timeout;
  #sockets = 0;
  #uncollected = 0;
  #allClosed: (() => void) | undefined;

  constructor(clock: Clock, logger: Logger = silentLogger) {
    this.#clock = clock;
    this.#logger = logger;
    this.#takingTurns = new RepeatedLine(clock);
    this.#timer = setInterval(() => this.sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  /** Channels that are not over. */
  get size(): number {
    return this.#channels.size;
  }

  /** Bytes that they hold, and 256 more for each message. */
  get held(): number {
    return this.#ofEngine.held + this.#ofWorkers.held + this.#ofSessions.held;
  }

  /** Bytes of messages that writers of guests have begun and not finished. */
  get unfinishedBytes(): number {
    return this.#ofSessions.unfinishedBytes;
  }

  /**
   * `messages`: how many it may hold, 1 to `LIMITS.channelMessagesAsked`. `owner`: the worker that asked for it; those of the engine
   * itself, without one, are bounded by whoever creates them. Throws `OVERLOADED`.
   */
  create(messages: number = LIMITS.channelMessages, owner?: Pick<Caller, 'workerId' | 'access'>): Channel {
    const channel = this.#poolOf(owner).create(messages, owner?.workerId);
    this.#channels.set(channel.id, channel);
    return channel;
  }

  /** `undefined`: there is no such channel, or the key is wrong; which of them, nobody is told. */
  find(id: string, direction: ChannelDirection, key: string): Channel | undefined {
    const channel = this.#channels.get(id);
    return channel?.opens(direction, key) === true ? channel : undefined;
  }

  /** What becomes of an upgrade of a worker listener; `undefined`: it doesn't ask for a channel. */
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
        const socket = new (direction === 'read' ? ReaderSocket : WriterSocket)(channel, connection, () => this.#socketGone());
        if (!socket.attach()) return refuseTaken(connection);
        this.#sockets++;
        return socket;
      },
    };
  }

  /**
   * The creator has disconnected. Those of its channels that nobody ever connected to are removed. The others live on: their ends are
   * sockets of their own, perhaps of other workers, and what was written may still be read.
   */
  ownerGone(workerId: string): void {
    for (const pool of [this.#ofWorkers, this.#ofSessions])
      for (const channel of pool.ownedBy(workerId)) if (!channel.used) channel.end('readerGone');
  }

  /** The access of the creator has ended: all its channels end with it, whoever is connected to them. */
  revoke(workerId: string, because: 'revoked' | 'expired'): void {
    for (const pool of [this.#ofWorkers, this.#ofSessions]) for (const channel of pool.ownedBy(workerId)) channel.end(because);
  }

  /**
   * Removes the channels that nobody has been connected to for too long. A writer that is held back is not read, so that its end is not
   * seen: after the same time it is asked for a sign of life.
   */
  sweep(): void {
    const before = this.#clock.monotonic() - LIMITS.channelIdleMs;
    for (const channel of this.#channels.values()) {
      const { idleSince } = channel;
      if (idleSince !== undefined && idleSince <= before) channel.end('readerGone');
      else channel.probePeer(before);
    }
  }

  /** Ends every channel with 1012. Resolves when the sockets are closed, or after a second. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
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

  /** Strangers take nothing from workers, and requests nothing from either. */
  #poolOf(owner: Pick<Caller, 'access'> | undefined): ChannelPool {
    if (owner === undefined) return this.#ofEngine;
    return owner.access === undefined ? this.#ofWorkers : this.#ofSessions;
  }

  #socketGone(): void {
    this.#sockets--;
    if (this.#sockets === 0) this.#allClosed?.();
  }
}
