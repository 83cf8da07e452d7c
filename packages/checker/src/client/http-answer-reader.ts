/** Receives the answers of one HTTP connection. */
export interface AnswerTaker {
  /** Takes the status of an answer. */
  onHead(status: number): void;
  /** Takes a part of the body. */
  onBody(bytes: Buffer): void;
  /** Runs when the answer is complete. A body without a length ends with the connection, and this never runs. */
  onEnd(): void;
}

type Phase =
  | { readonly at: 'head' }
  | { readonly at: 'body'; left: number }
  /** The next line has the length of a chunk. */
  | { readonly at: 'chunk-size' }
  | { readonly at: 'chunk'; left: number }
  | { readonly at: 'trailer' };

const LINE_END = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');

/** Parses the HTTP/1.1 answers of a connection, one after the other. */
export class HttpAnswerReader {
  readonly #taker: AnswerTaker;
  #held: Buffer = Buffer.alloc(0);
  #phase: Phase = { at: 'head' };

  constructor(taker: AnswerTaker) {
    this.#taker = taker;
  }

  /** Reads the next bytes. Throws when they are no HTTP answer. */
  read(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (this.#step());
  }

  /** Reads one part. Returns false when more bytes are needed. */
  #step(): boolean {
    const phase = this.#phase;
    switch (phase.at) {
      case 'head': {
        const end = this.#held.indexOf(HEAD_END);
        if (end < 0) return false;
        this.#head(this.#take(end + HEAD_END.length).toString('latin1'));
        return true;
      }
      case 'chunk-size':
      case 'trailer': {
        const end = this.#held.indexOf(LINE_END);
        if (end < 0) return false;
        const line = this.#take(end + LINE_END.length)
          .toString('latin1')
          .trim();
        if (phase.at === 'trailer') this.#end();
        else this.#chunk(Number.parseInt(line, 16));
        return true;
      }
      case 'body':
        if (this.#held.length === 0 && phase.left > 0) return false;
        this.#body(phase);
        if (phase.left === 0) this.#end();
        return true;
      case 'chunk':
        if (this.#held.length === 0) return false;
        if (phase.left > LINE_END.length) this.#body(phase, LINE_END.length);
        else if (this.#held.length < phase.left) return false;
        else {
          this.#take(phase.left);
          this.#phase = { at: 'chunk-size' };
        }
        return true;
      default:
        return phase satisfies never;
    }
  }

  #head(head: string): void {
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1];
    if (status === undefined) throw new Error(`the server sent what is no head of an answer: ${head.slice(0, 80)}`);
    const length = /\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1];
    const isChunked = /\r\ntransfer-encoding: chunked\r\n/i.test(head);
    this.#phase = isChunked ? { at: 'chunk-size' } : { at: 'body', left: length === undefined ? Number.POSITIVE_INFINITY : Number(length) };
    this.#taker.onHead(Number(status));
  }

  #chunk(length: number): void {
    if (Number.isNaN(length)) throw new Error('the server sent a chunk without a length');
    this.#phase = length === 0 ? { at: 'trailer' } : { at: 'chunk', left: length + LINE_END.length };
  }

  /** Passes on bytes of the body. The last `kept` bytes that are left are not of the body. */
  #body(phase: { left: number }, kept = 0): void {
    const bytes = this.#take(Math.min(this.#held.length, phase.left - kept));
    phase.left -= bytes.length;
    if (bytes.length > 0) this.#taker.onBody(bytes);
  }

  #end(): void {
    this.#phase = { at: 'head' };
    this.#taker.onEnd();
  }

  #take(length: number): Buffer {
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }
}
