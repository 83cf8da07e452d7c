import { RivuletError } from '@rivulet/protocol';
import { Channel } from './channel.js';
import { HighWater } from './high-water.js';
import { OwnerShare, type ShareBounds, type SharedPool } from './owner-share.js';

export interface PoolBounds {
  /** Bytes that all channels of the pool may hold. At this level their writers wait. */
  readonly bytes: number;
  /** Channels that owners have created and that have not ended: of all owners together, and of one owner. */
  readonly channels: number;
  readonly perOwner: number;
  /** Bounds for the channels of one owner. */
  readonly share: ShareBounds;
}

/** The table that all pools share. */
export interface ChannelTable {
  passed(bytes: number): void;
  monotonic(): number;
  remove(channel: Channel): void;
  /** Reports that the writers of one owner have reached the bound of unfinished messages. */
  takesTurns(owner: string): void;
}

/**
 * The channels of one kind of owner: the engine, trusted workers, or guests. The channels of a pool share a bound of bytes, and no pool
 * takes capacity from another.
 *
 * When the bound is reached, all writers of the pool wait. The exception is a channel whose reader takes each message at once, because such
 * a channel holds nothing. A channel with a good reader therefore never waits for channels without one.
 */
export class ChannelPool implements SharedPool {
  readonly #table: ChannelTable;
  readonly #bounds: PoolBounds;
  readonly #channels = new Set<Channel>();
  readonly #shares = new Map<string, OwnerShare>();
  readonly #held: HighWater;
  #ownedTotal = 0;

  constructor(table: ChannelTable, bounds: PoolBounds) {
    this.#table = table;
    this.#bounds = bounds;
    this.#held = new HighWater(
      bounds.bytes,
      () => this.#pauseWriters(),
      () => this.#resumeWriters(),
    );
  }

  /** Bytes that the channels hold now. */
  get held(): number {
    return this.#held.level;
  }

  /** Bytes that were read of messages which are not whole, for all owners. */
  get unfinishedBytes(): number {
    return Array.from(this.#shares.values()).reduce((sum, share) => sum + share.unfinishedBytes, 0);
  }

  get full(): boolean {
    return this.#held.full;
  }

  /**
   * Creates a channel that holds at most `messages` messages. Throws `OVERLOADED` when its owner, or all owners together, have too many
   * channels. The count does not bound channels of the engine, which have no owner.
   */
  create(messages: number, owner: string | undefined): Channel {
    const share = owner === undefined ? undefined : this.#shareOf(owner);
    const channel = new Channel(share ?? this, messages, owner);
    if (share !== undefined) {
      share.add(channel);
      this.#ownedTotal++;
    }
    this.#channels.add(channel);
    return channel;
  }

  /** Returns the channels of an owner that have not ended. */
  ownedBy(owner: string): readonly Channel[] {
    return [...(this.#shares.get(owner)?.channels ?? [])];
  }

  // SharedPool: calls of the shares of single owners.

  forget(share: OwnerShare): void {
    if (this.#shares.get(share.owner) === share) this.#shares.delete(share.owner);
  }

  takesTurns(owner: string): void {
    this.#table.takesTurns(owner);
  }

  // ChannelContext: calls of channels without an owner, and of shares that pass them on.

  hold(bytes: number): void {
    this.#held.add(bytes);
  }

  mayDeliver(): boolean {
    return true;
  }

  unsent(): void {}

  unfinished(): void {}

  writerAttached(): void {}

  heldBackChanged(): void {}

  passed(bytes: number): void {
    this.#table.passed(bytes);
  }

  monotonic(): number {
    return this.#table.monotonic();
  }

  remove(channel: Channel): void {
    if (!this.#channels.delete(channel)) return;
    this.#table.remove(channel);
    if (channel.owner !== undefined) this.#ownedTotal--;
  }

  #shareOf(owner: string): OwnerShare {
    const share = this.#shares.get(owner);
    const count = share?.channels.size ?? 0;
    if (this.#ownedTotal >= this.#bounds.channels || count >= this.#bounds.perOwner) {
      const bound = count >= this.#bounds.perOwner ? `${count} channels of this worker` : `${this.#ownedTotal} channels`;
      throw new RivuletError('OVERLOADED', `there are ${bound} that have not ended; use or close them first`);
    }
    if (share !== undefined) return share;
    const created = new OwnerShare(owner, this, this.#bounds.share);
    this.#shares.set(owner, created);
    return created;
  }

  #pauseWriters(): void {
    for (const channel of this.#channels) channel.pauseIfFull();
  }

  /** Resumes writers in turn. A channel that resumes becomes the last one of the next round. */
  #resumeWriters(): void {
    const round = [...this.#channels];
    for (const channel of round) {
      if (this.full) return;
      if (!channel.resumeIfFree()) continue;
      this.#channels.delete(channel);
      this.#channels.add(channel);
    }
  }
}
