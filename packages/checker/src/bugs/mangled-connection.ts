import type { Connection } from '@rivulet/engine/parts';
import type { CloseName } from '@rivulet/protocol';
import { FrameReader } from '../client/frame-reader.js';

/** Maps one outgoing message to the messages that the socket gets: the same one, none, or others. */
export type Mangle = (text: string) => readonly string[];

/** A connection that sends the messages that `mangle` returns. It collects the fragments of a message first. */
export class MangledConnection implements Connection {
  readonly #inner: Connection;
  readonly #frames: FrameReader;

  constructor(inner: Connection, mangle: Mangle) {
    this.#inner = inner;
    this.#frames = new FrameReader((text) => {
      for (const each of mangle(text)) inner.write(textFrame(each));
    });
  }

  write(frames: Buffer): void {
    this.#frames.read(frames);
  }

  writeFrame(head: Buffer, payload: Buffer): void {
    this.write(Buffer.concat([head, payload]));
  }

  get remoteAddress(): string {
    return this.#inner.remoteAddress;
  }

  get peerAddress(): string {
    return this.#inner.peerAddress;
  }

  get buffered(): number {
    return this.#inner.buffered;
  }

  get open(): boolean {
    return this.#inner.open;
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  watchUnfinished(changed: (bytes: number) => void): void {
    this.#inner.watchUnfinished(changed);
  }

  probePeer(): void {
    this.#inner.probePeer();
  }

  close(name: CloseName): void {
    this.#inner.close(name);
  }

  destroy(): void {
    this.#inner.destroy();
  }
}

function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  if (payload.length < 126) return Buffer.concat([Buffer.from([0x81, payload.length]), payload]);
  if (payload.length < 65_536) return Buffer.concat([Buffer.from([0x81, 126, payload.length >> 8, payload.length & 0xff]), payload]);
  const head = Buffer.alloc(10);
  head.set([0x81, 127]);
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}
