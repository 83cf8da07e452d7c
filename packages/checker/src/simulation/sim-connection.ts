import type { Connection, ConnectionOwner } from '@rivulet/engine/parts';
import type { CloseName } from '@rivulet/protocol';
import type { Random } from '@rivulet/testkit/random';
import type { VirtualTime } from './virtual-time.js';

/** The far end of a connection: a client or a worker. */
export interface Peer {
  onBytes(bytes: Buffer): void;
  /** Once. Nothing comes after it. */
  onLost(): void;
}

export interface LinkQuality {
  /** Milliseconds that anything is on its way, at most. */
  latencyMs: number;
  /** Bytes that are carried at once. */
  chunkBytes: number;
  /** Bytes that the kernels on both sides hold before the writer sees that it is not read. */
  readonly windowBytes: number;
  /** Nothing is carried towards the client. */
  stalled: boolean;
}

/**
 * One connection between an engine and a peer, without a network: bytes arrive late and in pieces, a stalled reader fills what lies
 * between, and when the link is cut each end learns of it in its own time.
 */
export class SimConnection implements Connection {
  readonly remoteAddress = '10.0.0.1';
  readonly quality: LinkQuality;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #peer: Peer;
  #owner: ConnectionOwner | undefined;
  #queue: Buffer[] = [];
  #queued = 0;
  #carrying = false;
  #wasFull = false;
  #inboundAt = 0;
  #closing = false;
  /** As the peer sees it. */
  #reachable = true;
  /** Nothing gets through any more, whatever the ends believe. */
  #severed = false;
  open = true;

  constructor(time: VirtualTime, random: Random, peer: Peer, quality: LinkQuality) {
    this.#time = time;
    this.#random = random;
    this.#peer = peer;
    this.quality = quality;
  }

  own(owner: ConnectionOwner): void {
    this.#owner = owner;
  }

  // What the engine does.

  write(frames: Buffer): void {
    if (!this.open || this.#closing) return;
    this.#queue.push(frames);
    this.#queued += frames.length;
    if (this.buffered > 0) this.#wasFull = true;
    this.#carry();
  }

  writeFrame(head: Buffer, payload: Buffer): void {
    this.write(Buffer.concat([head, payload]));
  }

  get buffered(): number {
    return Math.max(0, this.#queued - this.quality.windowBytes);
  }

  pause(): void {}

  resume(): void {}

  watchUnfinished(): void {}

  probePeer(): void {}

  close(_name: CloseName): void {
    if (this.#closing || !this.open) return;
    this.#closing = true;
    this.#time.after(this.#delay(), () => this.#end());
  }

  destroy(): void {
    this.#end();
  }

  // What the peer and the nemesis do.

  /** The peer sends a message. */
  send(text: string): void {
    if (!this.#reachable || this.#severed) return;
    this.#inboundAt = Math.max(this.#inboundAt, this.#time.monotonic() + this.#delay());
    this.#time.after(this.#inboundAt - this.#time.monotonic(), () => {
      if (this.open && !this.#severed) this.#owner?.onText(text);
    });
  }

  /** The peer goes away; the engine learns of it within `noticedMs`. */
  leave(noticedMs: number): void {
    this.#lose();
    this.#time.after(noticedMs, () => this.#end());
  }

  /** The network drops what is on its way; each end learns of it in its own time. */
  cut(peerNoticesMs: number, engineNoticesMs: number): void {
    this.#queue = [];
    this.#severed = true;
    this.#time.after(peerNoticesMs, () => this.#lose());
    this.#time.after(engineNoticesMs, () => this.#end());
  }

  /** The process of the engine is gone: nothing reaches it any more, and the peer learns of it. */
  abandon(): void {
    this.open = false;
    this.#owner = undefined;
    this.#queue = [];
    this.#time.after(this.#delay(), () => this.#lose());
  }

  /** The reader takes bytes again. */
  unstall(): void {
    this.quality.stalled = false;
    this.#carry();
  }

  #delay(): number {
    return this.#random.between(0, this.quality.latencyMs);
  }

  #carry(): void {
    if (this.#carrying || this.#severed || this.quality.stalled || this.#queue.length === 0) return;
    this.#carrying = true;
    this.#time.after(this.#delay(), () => {
      this.#carrying = false;
      if (this.quality.stalled || this.#severed) return;
      const bytes = this.#takeChunk();
      if (bytes.length > 0 && this.#reachable) this.#peer.onBytes(bytes);
      if (this.#wasFull && this.buffered === 0) {
        this.#wasFull = false;
        if (this.open) this.#owner?.onDrain();
      }
      this.#carry();
    });
  }

  #takeChunk(): Buffer {
    let room = this.#random.between(1, this.quality.chunkBytes);
    const taken: Buffer[] = [];
    for (let first = this.#queue[0]; first !== undefined && room > 0; first = this.#queue[0]) {
      const piece = first.subarray(0, room);
      taken.push(piece);
      room -= piece.length;
      this.#queued -= piece.length;
      if (piece.length === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(piece.length);
    }
    return Buffer.concat(taken);
  }

  #end(): void {
    if (!this.open) return;
    this.open = false;
    this.#owner?.onClose(1006);
    this.#time.after(this.#delay(), () => this.#lose());
  }

  #lose(): void {
    if (!this.#reachable) return;
    this.#reachable = false;
    this.#peer.onLost();
  }
}
