/** Events that a skipper finds in the bytes of a peer. */
export interface SkipperEvents {
  /** Takes a whole ping. The payload has at most 125 bytes. */
  onPing(payload: Buffer): void;
  /** Takes the code of a close frame, 1000 if it has none. The skipper reads nothing after it. */
  onClose(code: number): void;
  /** Reports that the bytes break RFC 6455, or that a frame is too long. The skipper reads nothing after it. */
  onBroken(reason: 'protocol' | 'too_large'): void;
}

const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;
const NORMAL_CLOSE = 1000;
const MOST_HEAD_BYTES = 14;
const MOST_CONTROL_BYTES = 125;

/**
 * Skips the frames of a client. It keeps only their heads and the payload of control frames. So a peer that sends large or unfinished
 * frames occupies 139 bytes.
 */
export class FrameSkipper {
  readonly #mostFrameBytes: number;
  readonly #events: SkipperEvents;
  readonly #head = Buffer.alloc(MOST_HEAD_BYTES);
  #headLength = 0;
  /** Payload bytes of the current frame that have not arrived yet. */
  #left = 0;
  /** Unmasked payload of the current control frame. `undefined` in any other frame. */
  #control: Buffer | undefined;
  #controlLength = 0;
  #frame: object | undefined;
  #done = false;

  constructor(mostFrameBytes: number, events: SkipperEvents) {
    this.#mostFrameBytes = mostFrameBytes;
    this.#events = events;
  }

  /** An object that stands for the unfinished frame. It is the same object until the frame is complete. `undefined` between frames. */
  get unfinished(): object | undefined {
    return this.#frame;
  }

  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && !this.#done) at = this.#left > 0 ? this.#payload(bytes, at) : this.#readHead(bytes, at);
  }

  /** Reads one byte of a head. Returns the position after it. */
  #readHead(bytes: Buffer, at: number): number {
    this.#frame ??= {};
    this.#head[this.#headLength++] = bytes[at] as number;
    if (this.#headLength >= 2 && this.#headLength === this.#headBytes) this.#begin();
    return at + 1;
  }

  get #headBytes(): number {
    const short = (this.#head[1] as number) & 0x7f;
    return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + 4;
  }

  #begin(): void {
    const first = this.#head[0] as number;
    const second = this.#head[1] as number;
    const opcode = first & 0x0f;
    const isControl = opcode >= CLOSE;
    const length = this.#length(second & 0x7f);
    const isKnown = opcode <= 2 || (opcode >= CLOSE && opcode <= PONG);
    if ((first & 0x70) !== 0 || (second & 0x80) === 0 || !isKnown) return this.#break('protocol');
    if (isControl && ((first & 0x80) === 0 || length > MOST_CONTROL_BYTES)) return this.#break('protocol');
    if (length > this.#mostFrameBytes) return this.#break('too_large');
    this.#left = length;
    this.#control = isControl ? Buffer.alloc(length) : undefined;
    this.#controlLength = 0;
    if (length === 0) this.#end();
  }

  #length(short: number): number {
    if (short === 126) return this.#head.readUInt16BE(2);
    // A length above 2^53 loses digits, but it is too large in any case.
    return short === 127 ? this.#head.readUInt32BE(2) * 2 ** 32 + this.#head.readUInt32BE(6) : short;
  }

  #payload(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    if (this.#control !== undefined) {
      const mask = this.#headLength - 4;
      for (let from = at; from < end; from++) {
        this.#control[this.#controlLength] = (bytes[from] as number) ^ (this.#head[mask + (this.#controlLength % 4)] as number);
        this.#controlLength++;
      }
    }
    this.#left -= end - at;
    if (this.#left === 0) this.#end();
    return end;
  }

  #end(): void {
    const opcode = (this.#head[0] as number) & 0x0f;
    const payload = this.#control;
    this.#headLength = 0;
    this.#control = undefined;
    this.#frame = undefined;
    if (payload === undefined) return;
    if (opcode === PING) this.#events.onPing(payload);
    if (opcode !== CLOSE) return;
    this.#done = true;
    this.#events.onClose(payload.length === 0 ? NORMAL_CLOSE : payload.length === 1 ? 0 : payload.readUInt16BE(0));
  }

  #break(reason: 'protocol' | 'too_large'): void {
    this.#done = true;
    this.#frame = undefined;
    this.#events.onBroken(reason);
  }
}
