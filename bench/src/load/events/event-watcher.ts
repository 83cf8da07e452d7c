import { connect, type Socket } from 'node:net';
import { sentAt } from '../clients/update.js';
import type { Meter } from '../clients/window.js';

const EVENT_END = Buffer.from('\n\n');
const SYNC = Buffer.from('"type":"sync"');
const NEWLINE = 10;
/** All sockets read into this one buffer, because each read is handled before the next one starts. */
const SHARED = Buffer.allocUnsafeSlow(256 * 1_024);

/** One reader of an event stream. It counts events. A sampled reader also reads the planned time of each change. */
export class EventWatcher {
  readonly #socket: Socket;
  readonly #meter: Meter;
  readonly #sampled: boolean;
  readonly #ready: () => void;
  /** Groups whose first state has not come. Deliveries count after them. */
  #awaited: number;
  /** Whether the last read ended with the first of two newlines. */
  #isHalfEnd = false;

  private constructor(url: URL, groups: readonly string[], meter: Meter, sampled: boolean, ready: () => void) {
    this.#meter = meter;
    this.#sampled = sampled;
    this.#ready = ready;
    this.#awaited = groups.length;
    const onread = {
      buffer: SHARED,
      callback: (bytes: number) => {
        this.#receive(SHARED.subarray(0, bytes));
        return true;
      },
    };
    this.#socket = connect({ host: url.hostname, port: Number(url.port), onread });
    this.#socket.setNoDelay(true);
    this.#socket.on('error', () => {});
    const target = `/events?${groups.map((group) => `group=bench/${group}`).join('&')}`;
    this.#socket.write(`GET ${target} HTTP/1.1\r\nHost: ${url.host}\r\nAccept: text/event-stream\r\n\r\n`);
  }

  /** Resolves when the first state of each group has come. Rejects when the connection ends before. */
  static open(address: string, groups: readonly string[], meter: Meter, sampled: boolean): Promise<EventWatcher> {
    return new Promise((resolve, reject) => {
      const watcher: EventWatcher = new EventWatcher(new URL(address), groups, meter, sampled, () => resolve(watcher));
      watcher.#socket.once('close', () => reject(new Error(`${address} closed an event stream`)));
    });
  }

  /** Stops reading. */
  stall(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    if (this.#awaited > 0) {
      for (let at = bytes.indexOf(SYNC); at >= 0; at = bytes.indexOf(SYNC, at + SYNC.length)) this.#awaited--;
      if (this.#awaited === 0) this.#ready();
      return;
    }
    let begin = this.#isHalfEnd && bytes[0] === NEWLINE ? 1 : 0;
    let events = begin;
    for (let end = bytes.indexOf(EVENT_END, begin); end >= 0; end = bytes.indexOf(EVENT_END, begin)) {
      events++;
      if (this.#sampled) this.#sample(bytes.subarray(begin, end));
      begin = end + EVENT_END.length;
    }
    this.#isHalfEnd = begin < bytes.length && bytes.at(-1) === NEWLINE;
    this.#meter.deliveries += events;
  }

  #sample(event: Buffer): void {
    const due = sentAt(event);
    if (due !== undefined) this.#meter.delivery.add(performance.timeOrigin + performance.now() - due);
  }
}
