import type { Dialect } from './dialects.js';
import type { Places } from './places.js';
import { type FrameReader, RawSocket } from './raw-socket.js';
import { type Content, UPDATES } from './update.js';
import type { Meter } from './window.js';

/** Bytes that may wait in the writer. Beyond them it pauses, so that an overloaded server does not exhaust the memory of the load. */
const MOST_UNSENT = 16 * 1_024 * 1_024;
/** Size of the ring of planned times, by number of the call. It exceeds the calls that are ever in flight. */
const RING = 1 << 20;
/** Longest time of one round of writes, in milliseconds. */
const ROUND_MS = 300_000;

/** The connection of the writer. */
export class Writer implements FrameReader {
  readonly #dialect: Dialect;
  readonly #meter: Meter;
  readonly #content: Content;
  readonly #due = new Float64Array(RING);
  readonly #early: string[] = [];
  #socket: RawSocket | undefined;
  #opened: (() => void) | undefined;
  #call = 0;
  #acknowledged: (() => void) | undefined;
  #gone: (() => void) | undefined;

  private constructor(dialect: Dialect, meter: Meter, content: Content) {
    this.#dialect = dialect;
    this.#meter = meter;
    this.#content = content;
  }

  static async open(dialect: Dialect, url: string, meter: Meter, content: Content = UPDATES): Promise<Writer> {
    const writer = new Writer(dialect, meter, content);
    const opened = new Promise<void>((resolve) => {
      writer.#opened = resolve;
    });
    writer.#socket = await RawSocket.open(url, writer);
    writer.#tryReady(undefined);
    for (const text of writer.#early.splice(0)) writer.#tryReady(text);
    await opened;
    return writer;
  }

  wantsPayload(): boolean {
    return true;
  }

  frame(payload: Buffer | undefined): void {
    const text = payload?.toString('latin1') ?? '';
    if (this.#opened !== undefined) {
      if (this.#socket === undefined) this.#early.push(text);
      else this.#tryReady(text);
      return;
    }
    const call = this.#dialect.acknowledged(text);
    if (call === undefined) {
      if (this.#socket !== undefined) this.#dialect.isDelivery(this.#socket, text);
      return;
    }
    if (this.#dialect.isRefusal(text)) this.#meter.refused += 1;
    else this.#meter.acknowledged += 1;
    this.#meter.ack.add(performance.timeOrigin + performance.now() - (this.#due[call % RING] ?? 0));
    this.#acknowledged?.();
  }

  /** Writes at an even rate until the promise resolves. */
  async pace(places: Places, rate: number, until: Promise<unknown>): Promise<void> {
    const start = performance.now();
    let written = 0;
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - start) / 1_000) * rate);
      this.#socket?.together(() => {
        for (; written < due; written++) this.#write(places, performance.timeOrigin + start + ((written + 1) / rate) * 1_000);
      });
    }, 1);
    await until;
    clearInterval(timer);
  }

  /** Keeps `inFlight` writes unanswered until the promise resolves. */
  async saturate(places: Places, inFlight: number, until: Promise<unknown>): Promise<void> {
    this.#keep(places, inFlight, Number.POSITIVE_INFINITY, () => {});
    await until;
    this.#acknowledged = undefined;
  }

  /** Makes `count` writes with at most `inFlight` unanswered. Resolves when all are acknowledged. Rejects when one was refused or lost. */
  async round(places: Places, count: number, inFlight: number): Promise<void> {
    const refused = this.#meter.refused;
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not all of ${count} writes were answered in ${ROUND_MS} ms`)), ROUND_MS);
      this.#gone = () => {
        clearTimeout(late);
        reject(new Error(`the connection was lost before ${count} writes were answered`));
      };
      this.#keep(places, inFlight, count, () => {
        clearTimeout(late);
        resolve();
      });
    });
    this.#gone = undefined;
    this.#acknowledged = undefined;
    if (this.#meter.refused > refused) throw new Error(`${this.#meter.refused - refused} of ${count} writes were refused`);
  }

  /** Makes at most `most` writes. Calls `done` when all of them are answered. */
  #keep(places: Places, inFlight: number, most: number, done: () => void): void {
    let owed = inFlight;
    let left = most;
    let unanswered = most;
    let scheduled = false;
    const refill = () => {
      scheduled = false;
      this.#socket?.together(() => {
        for (; owed > 0 && left > 0; owed--, left--) this.#write(places, performance.timeOrigin + performance.now());
      });
    };
    this.#acknowledged = () => {
      owed += 1;
      unanswered -= 1;
      if (unanswered === 0) done();
      if (scheduled) return;
      scheduled = true;
      // Refill after all answers of this read, so that the new calls leave in one write.
      queueMicrotask(refill);
    };
    refill();
  }

  closed(): void {
    this.#gone?.();
  }

  close(): void {
    this.#socket?.close();
  }

  #tryReady(text: string | undefined): void {
    if (this.#socket === undefined || !this.#dialect.writerReady(this.#socket, text)) return;
    this.#opened?.();
    this.#opened = undefined;
  }

  #write(places: Places, due: number): void {
    const socket = this.#socket;
    if (socket === undefined || socket.unsent > MOST_UNSENT) return;
    this.#call += 1;
    this.#due[this.#call % RING] = due;
    this.#meter.sent += 1;
    socket.send(this.#dialect.set(places(this.#call), this.#content.item(this.#call), this.#content.text(this.#call, due), this.#call));
  }
}
