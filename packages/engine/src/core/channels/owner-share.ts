import type { Channel, ChannelContext } from './channel.js';
import { HighWater } from './high-water.js';
import { MessageTurns } from './message-turns.js';

export interface ShareBounds {
  /** Bytes that the channels of one owner hold. */
  readonly bytes: number;
  /** Bytes that the sockets of their readers have not sent. */
  readonly unsent: number;
  /** Bytes of messages that their writers have begun and not finished. */
  readonly unfinished: number;
}

/** The pool that a share belongs to. */
export interface SharedPool extends ChannelContext {
  /** Forgets a share that holds nothing any more. */
  forget(share: OwnerShare): void;
  /** Reports that the writers of an owner have reached the bound of unfinished messages. */
  takesTurns(owner: string): void;
}

/**
 * Holds the channels that one owner created and counts their bytes, beside the count of all owners together. Also counts what the sockets
 * of their readers have not sent. Writers of the owner's channels wait while either bound is reached; those of other owners do not.
 */
export class OwnerShare implements ChannelContext {
  readonly owner: string;
  readonly #pool: SharedPool;
  readonly #bounds: ShareBounds;
  readonly #channels = new Set<Channel>();
  readonly #held: HighWater;
  readonly #turns: MessageTurns;
  #unsent = 0;
  /** A reader was refused because of what the sockets have not sent. */
  #refused = false;
  #waking = false;

  constructor(owner: string, pool: SharedPool, bounds: ShareBounds) {
    this.owner = owner;
    this.#pool = pool;
    this.#bounds = bounds;
    this.#held = new HighWater(
      bounds.bytes,
      () => this.#holdBack(),
      () => this.#goOn(),
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

  /** Bytes of messages that the writers have begun and not finished. */
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

  /** From half of the bound on, only readers whose sockets have sent everything take more: those who read go on beside those who do not. */
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

  #holdBack(): void {
    for (const channel of this.#channels) channel.holdBack();
  }

  #goOn(): void {
    this.#inTurn((channel) => !this.full && channel.goOn());
  }

  /** Lets readers that were refused take more, once for all sockets that have sent something in one turn. */
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

  /** A socket may still hold bytes of a channel that is over. */
  #leave(): void {
    if (this.#channels.size === 0 && this.#unsent === 0) this.#pool.forget(this);
  }
}
