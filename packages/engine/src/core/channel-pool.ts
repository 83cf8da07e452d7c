import { RivuletError } from '@rivulet/protocol';
import type { Channel, ChannelRoom } from './channel.js';

export interface PoolBounds {
  /** That its channels hold together. */
  readonly bytes: number;
  /** Channels that owners have created and that are not over, of all together and of one. */
  readonly channels: number;
  readonly perOwner: number;
}

/** The table that all pools share. */
export interface ChannelTable {
  passed(bytes: number): void;
  monotonic(): number;
  remove(channel: Channel): void;
}

/**
 * Channels of one kind of owner, which share what may be held; no kind takes from another. When it is used up, everybody who writes to one
 * of them waits, but where the reader takes each message at once: so nobody who is read waits for those who are not.
 */
export class ChannelPool implements ChannelRoom {
  readonly #table: ChannelTable;
  readonly #bounds: PoolBounds;
  readonly #channels = new Set<Channel>();
  /** Those that each owner has created. */
  readonly #owned = new Map<string, Set<Channel>>();
  #ownedTotal = 0;
  #held = 0;
  #full = false;

  constructor(table: ChannelTable, bounds: PoolBounds) {
    this.#table = table;
    this.#bounds = bounds;
  }

  /** Bytes that its channels hold. */
  get held(): number {
    return this.#held;
  }

  get full(): boolean {
    return this.#full;
  }

  /** Throws `OVERLOADED` when the channel's owner has too many, or all have. Those of the engine are bounded by what it makes them for. */
  add(channel: Channel): void {
    const { owner } = channel;
    if (owner !== undefined) {
      const owned = this.#owned.get(owner) ?? new Set();
      if (this.#ownedTotal >= this.#bounds.channels || owned.size >= this.#bounds.perOwner) {
        const bound = owned.size >= this.#bounds.perOwner ? `${owned.size} channels of this worker` : `${this.#ownedTotal} channels`;
        throw new RivuletError('OVERLOADED', `there are ${bound} that are not over; use or close them first`);
      }
      this.#owned.set(owner, owned.add(channel));
      this.#ownedTotal++;
    }
    this.#channels.add(channel);
  }

  /** Those that the owner has created and that are not over. */
  ownedBy(owner: string): readonly Channel[] {
    return [...(this.#owned.get(owner) ?? [])];
  }

  // ChannelRoom

  hold(bytes: number): void {
    this.#held += bytes;
    if (!this.#full && this.#held >= this.#bounds.bytes) {
      this.#full = true;
      for (const channel of this.#channels) channel.holdBack();
    } else if (this.#full && this.#held <= (this.#bounds.bytes / 4) * 3) {
      this.#full = false;
      // Not within the delivery that made the room: a writer may write as soon as it may.
      queueMicrotask(() => this.#goOn());
    }
  }

  passed(bytes: number): void {
    this.#table.passed(bytes);
  }

  monotonic(): number {
    return this.#table.monotonic();
  }

  remove(channel: Channel): void {
    if (!this.#channels.delete(channel)) return;
    this.#table.remove(channel);
    const { owner } = channel;
    if (owner === undefined) return;
    this.#ownedTotal--;
    const owned = this.#owned.get(owner);
    owned?.delete(channel);
    if (owned?.size === 0) this.#owned.delete(owner);
  }

  /** In turn: who may go on is the last to be asked the next time. */
  #goOn(): void {
    const asked = [...this.#channels];
    for (const channel of asked) {
      if (this.#full) return;
      if (!channel.goOn()) continue;
      this.#channels.delete(channel);
      this.#channels.add(channel);
    }
  }
}
