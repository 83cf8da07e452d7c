/** Parses the WebSocket frames of a server from a stream of bytes, and passes on whole text messages. It skips control frames. */
export class FrameReader {
  readonly #onText: (text: string) => void;
  #held: Buffer = Buffer.alloc(0);
  #message: Buffer[] = [];

  constructor(onText: (text: string) => void) {
    this.#onText = onText;
  }

  /** Reads the next bytes. Throws when they are no valid frames. */
  read(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    for (let taken = this.#take(); taken; taken = this.#take());
  }

  #take(): boolean {
    const bytes = this.#held;
    if (bytes.length < 2) return false;
    const [first, second] = [bytes[0] as number, bytes[1] as number];
    if ((second & 0x80) !== 0 || (first & 0x70) !== 0) throw new Error('the server sent what is no frame');
    let length = second & 0x7f;
    let body = 2;
    if (length === 126) {
      if (bytes.length < 4) return false;
      length = bytes.readUInt16BE(2);
      body = 4;
    } else if (length === 127) {
      if (bytes.length < 10) return false;
      length = Number(bytes.readBigUInt64BE(2));
      body = 10;
    }
    if (bytes.length < body + length) return false;
    this.#frame(first, bytes.subarray(body, body + length));
    this.#held = bytes.subarray(body + length);
    return true;
  }

  #frame(first: number, payload: Buffer): void {
    const opcode = first & 0x0f;
    if (opcode >= 8) return;
    if ((opcode === 0) !== this.#message.length > 0) throw new Error('a fragment in the wrong place');
    this.#message.push(payload);
    if ((first & 0x80) === 0) return;
    const text = this.#message.length === 1 ? payload.toString() : Buffer.concat(this.#message).toString();
    this.#message = [];
    this.#onText(text);
  }
}
