import type { Connection, ConnectionOwner } from '@rivulet/engine/parts';
import type { CloseName } from '@rivulet/protocol';
import type { Random } from '@rivulet/testkit/random';
import type { VirtualTime } from './virtual-time.js';

/** Milliseconds in which a connection that ends still carries bytes. I11 allows a second for what a kernel has. */
const FINISH_MS = 500;

/** The peer of the engine: a client or a worker. */
export interface Peer {
  onBytes(bytes: Buffer): void;
  /** Reports the end of the connection. It is called once, as the last call. */
  onLost(): void;
}

export interface LinkQuality {
  /** Longest delay of a piece of data, in milliseconds. */
  latencyMs: number;
  /** Bytes that one step carries. */
  chunkBytes: number;
  /** Bytes that kernel buffers hold before the writer notices a reader that does not read. */
  readonly windowBytes: number;
  /** Whether the client has stopped reading. */
  stalled: boolean;
}

/**
 * One connection between an engine and a peer, without a network. Bytes arrive late and in pieces, and a stalled reader fills the buffers.
 * When the link is cut, each end notices it at its own time.
 */
export class SimConnection implements Connection {
  readonly remoteAddress = '10.0.0.1';
  readonly peerAddress = '10.0.0.1';
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
  #finishing = false;
  /** Whether the peer regards the connection as open. */
  #reachable = true;
  /** Whether the link is cut, although the ends may not know it yet. */
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

  // Methods of the engine's end.

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

  /** Ends the connection when the link has carried everything, or after `FINISH_MS`. */
  finish(): void {
    this.#finishing = true;
    if (this.#queue.length === 0) this.#end();
    else this.#time.after(FINISH_MS, () => this.#end());
  }

  destroy(): void {
    this.#end();
  }

  // Methods of the peer and of the nemesis.

  /** Sends a message of the peer. */
  send(text: string): void {
    if (!this.#reachable || this.#severed) return;
    this.#inboundAt = Math.max(this.#inboundAt, this.#time.monotonic() + this.#delay());
    this.#time.after(this.#inboundAt - this.#time.monotonic(), () => {
      if (this.open && !this.#severed) this.#owner?.onText(text);
    });
  }

  /** Ends the connection from the peer's side. The engine notices it within `noticedMs`. */
  leave(noticedMs: number): void {
    this.#lose();
    this.#time.after(noticedMs, () => this.#end());
  }

  /** Cuts the link and drops all data on it. Each end notices it at its own time. */
  cut(peerNoticesMs: number, engineNoticesMs: number): void {
    this.#queue = [];
    this.#severed = true;
    this.#time.after(peerNoticesMs, () => this.#lose());
    this.#time.after(engineNoticesMs, () => this.#end());
  }

  /** Ends the connection because the engine process was killed. The peer notices it. */
  abandon(): void {
    this.open = false;
    this.#owner = undefined;
    this.#queue = [];
    this.#time.after(this.#delay(), () => this.#lose());
  }

  /** Lets the client read again. */
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
      if (this.#finishing && this.#queue.length === 0) this.#end();
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
