import type { Dialect } from './dialects.js';
import { type FrameReader, RawSocket } from './raw-socket.js';
import { sentAt } from './update.js';
import type { Meter } from './window.js';

/** One subscriber. It counts deliveries. A sampled subscriber also reads the planned time of each message. */
export class Watcher implements FrameReader {
  readonly #dialect: Dialect;
  readonly #group: string;
  readonly #meter: Meter;
  readonly #sampled: boolean;
  readonly #ready: () => void;
  /** Texts that arrived before the subscription was confirmed. The constructor may return only after the first of them. */
  readonly #early: (string | undefined)[] = [undefined];
  #socket: RawSocket | undefined;
  #isReady = false;

  private constructor(dialect: Dialect, group: string, meter: Meter, sampled: boolean, ready: () => void) {
    this.#dialect = dialect;
    this.#group = group;
    this.#meter = meter;
    this.#sampled = sampled;
    this.#ready = ready;
  }

  /** Resolves when the subscription is confirmed. */
  static async open(dialect: Dialect, url: string, group: string, meter: Meter, sampled: boolean): Promise<Watcher> {
    let watcher: Watcher | undefined;
    await new Promise<void>((resolve, reject) => {
      const opening = new Watcher(dialect, group, meter, sampled, resolve);
      watcher = opening;
      RawSocket.open(dialect.watchUrl(url, group), opening).then((socket) => opening.#begin(socket), reject);
    });
    if (watcher === undefined) throw new Error('unreachable');
    return watcher;
  }

  wantsPayload(length: number): boolean {
    return !this.#isReady || this.#sampled || this.#dialect.isSuspect(length);
  }

  frame(payload: Buffer | undefined): void {
    if (!this.#isReady) {
      this.#early.push(payload?.toString() ?? '');
      this.#begin(this.#socket);
      return;
    }
    if (payload !== undefined && this.#socket !== undefined && this.#dialect.isSuspect(payload.length)) {
      if (!this.#dialect.isDelivery(this.#socket, payload.toString())) return;
    }
    this.#meter.deliveries += 1;
    if (!this.#sampled || payload === undefined) return;
    const due = sentAt(payload);
    if (due !== undefined) this.#meter.delivery.add(performance.timeOrigin + performance.now() - due);
  }

  /** Limits reading to this many bytes per second. With 0 it stops reading. */
  slowDown(bytesPerSecond: number): void {
    if (bytesPerSecond === 0) this.#socket?.pause();
    else this.#socket?.pace(bytesPerSecond);
  }

  close(): void {
    this.#socket?.close();
  }

  #begin(socket: RawSocket | undefined): void {
    if (socket === undefined) return;
    this.#socket = socket;
    for (const text of this.#early.splice(0)) {
      if (this.#isReady || !this.#dialect.watcherReady(socket, this.#group, text)) continue;
      this.#isReady = true;
      this.#ready();
    }
  }
}
