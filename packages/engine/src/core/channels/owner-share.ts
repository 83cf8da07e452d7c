import type { Channel, ChannelContext } from './channel.js';
import { HighWater } from './high-water.js';
import { MessageTurns } from './message-turns.js';

export interface ShareBounds {
  /** Bytes that the channels of one owner may hold. */
  readonly bytes: number;
  /** Bytes that the sockets of the owner's readers may have unsent. */
  readonly unsent: number;
  /** Bytes that may be read of messages which are not whole. */
  readonly unfinished: number;
}

/** The pool to which a share belongs. */
export interface SharedPool extends ChannelContext {
  /** Removes a share that holds nothing any more. */
  forget(share: OwnerShare): void;
  /** Reports that the writers of an owner have reached the bound of unfinished messages. */
  takesTurns(owner: string): void;
}

/**
 * The channels that one owner created. The share counts the bytes that they hold, the bytes that the sockets of their readers have not
 * sent, and the bytes of unfinished messages. At a bound, writers of this owner wait. Writers of other owners do not.
 *
 * The pool counts the held bytes of all owners beside it.
 */
export class OwnerShare implements ChannelContext {
  readonly owner: string;
  readonly #pool: SharedPool;
  readonly #bounds: ShareBounds;
  readonly #channels = new Set<Channel>();
  readonly #held: HighWater;
  readonly #turns: MessageTurns;
  #unsent = 0;
  /** True when a reader was refused since the sockets had too many unsent bytes. */
  #refused = false;
  #waking = false;

  constructor(owner: string, pool: SharedPool, bounds: ShareBounds) {
    this.owner = owner;
    this.#pool = pool;
    this.#bounds = bounds;
    this.#held = new HighWater(
      bounds.bytes,
      () => this.#pauseWriters(),
      () => this.#resumeWriters(),
    );
    this.#turns = new MessageTurns(
      bounds.unfinished,
      () => this.#channels,
      () => pool.takesTurns(owner),
    );
  }

  get channels(): ReadonlySet<Channel> {
    return this.#channels;
  }

  get full(): boolean {
    return this.#held.full || this.#pool.full;
  }

  /** Bytes that were read of messages which are not whole. */
  get unfinishedBytes(): number {
    return this.#turns.total;
  }

  add(channel: Channel): void {
    this.#channels.add(channel);
  }

  hold(bytes: number): void {
    this.#held.add(bytes);
    this.#pool.hold(bytes);
  }

  /**
   * Returns whether a reader may take more. From half of the bound on, only readers without unsent bytes take more. Slow readers therefore
   * do not stop fast ones.
   */
  mayDeliver(buffered: number): boolean {
    const most = buffered === 0 ? this.#bounds.unsent : this.#bounds.unsent / 2;
    if (this.#unsent < most) return true;
    this.#refused = true;
    return false;
  }

  unsent(bytes: number): void {
    this.#unsent += bytes;
    if (bytes < 0) this.#wake();
    this.#leave();
  }

  unfinished(channel: Channel, bytes: number): void {
    this.#turns.report(channel, bytes);
  }

  writerAttached(channel: Channel): void {
    this.#turns.join(channel);
  }

  heldBackChanged(): void {
    this.#turns.heldBackChanged();
  }

  passed(bytes: number): void {
    this.#pool.passed(bytes);
  }

  monotonic(): number {
    return this.#pool.monotonic();
  }

  remove(channel: Channel): void {
    this.#channels.delete(channel);
    this.#pool.remove(channel);
    this.#leave();
  }

  #pauseWriters(): void {
    for (const channel of this.#channels) channel.pauseIfFull();
  }

  #resumeWriters(): void {
    this.#inTurn((channel) => !this.full && channel.resumeIfFree());
  }

  /** Lets refused readers take more. It runs once for all sockets that have sent something in one turn of the event loop. */
  #wake(): void {
    if (!this.#refused || this.#waking || this.#unsent >= this.#bounds.unsent) return;
    this.#waking = true;
    queueMicrotask(() => {
      this.#waking = false;
      this.#refused = false;
      this.#inTurn((channel) => channel.pump());
    });
  }

  /** Visits the channels. A channel that used its turn becomes the last one of the next round. */
  #inTurn(visit: (channel: Channel) => boolean): void {
    const round = [...this.#channels];
    for (const channel of round) {
      if (!visit(channel) || !this.#channels.delete(channel)) continue;
      this.#channels.add(channel);
    }
  }

  /** Removes an empty share. The socket of a reader may hold bytes of a channel that has ended, so the share waits for those too. */
  #leave(): void {
    if (this.#channels.size === 0 && this.#unsent === 0) this.#pool.forget(this);
  }
}
