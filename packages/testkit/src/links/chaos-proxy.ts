import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from '../random.js';

/** Direction of data as the client sees it: the client receives `down` and sends `up`. */
export type Direction = 'down' | 'up';

interface Weather {
  latencyMs: number;
  jitterMs: number;
  /** Bytes per second; undefined means no limit. */
  bandwidth: number | undefined;
  /** Bytes of each write; undefined means as received. */
  slice: number | undefined;
  readonly swallowed: Set<Direction>;
}

/** An action of the proxy on its links. */
export type LinkVerb = 'latency' | 'bandwidth' | 'slice' | 'blackhole' | 'reset' | 'cut-after' | 'refuse' | 'heal';

/** Is called for each action, so that the history contains the whole schedule. */
export type OnVerb = (verb: LinkVerb, on: string, how: string) => void;

/** Bytes that one direction buffers. Beyond them the proxy stops reading from the source. */
const MOST_HELD = 1_048_576;
const TICK_MS = 20;

/** A TCP proxy that disturbs connections as networks do. An action without a link applies to all links, also to later ones. */
export class ChaosProxy {
  readonly links = new Set<Link>();
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #random: Random;
  readonly #onVerb: OnVerb;
  #weather = fairWeather();
  #refusing = false;
  #count = 0;

  private constructor(target: { readonly host: string; readonly port: number }, random: Random, onVerb: OnVerb) {
    this.#target = target;
    this.#random = random;
    this.#onVerb = onVerb;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Listens on a free port of this machine. `target` need not be running yet, and may restart. */
  static async to(target: { readonly host: string; readonly port: number }, random: Random, onVerb: OnVerb): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(target, random, onVerb);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return address.port;
  }

  /** Delays each piece by this time, without changing the order. */
  latency(milliseconds: number, jitter = 0, link?: Link): void {
    this.#set('latency', `${milliseconds} ± ${jitter} ms`, link, (weather) => {
      weather.latencyMs = milliseconds;
      weather.jitterMs = jitter;
    });
  }

  bandwidth(bytesPerSecond: number, link?: Link): void {
    this.#set('bandwidth', `${bytesPerSecond} B/s`, link, (weather) => {
      weather.bandwidth = bytesPerSecond;
    });
  }

  /** Limits each write to this number of bytes. */
  slice(bytes: number, link?: Link): void {
    this.#set('slice', `${bytes} B`, link, (weather) => {
      weather.slice = bytes;
    });
  }

  /** Drops all data of one direction while the connection stays open. Neither side notices: the connection is half-open. */
  blackhole(direction: Direction, link?: Link): void {
    this.#set('blackhole', direction, link, (weather) => weather.swallowed.add(direction));
  }

  /** Sends RST to both ends. */
  reset(link?: Link): void {
    this.#onVerb('reset', nameOf(link), '');
    for (const each of this.#chosen(link)) each.reset();
  }

  /** Cuts the connection after this number of bytes, even in the middle of a frame. */
  cutAfter(bytes: number, link?: Link): void {
    this.#onVerb('cut-after', nameOf(link), `${bytes} B`);
    for (const each of this.#chosen(link)) each.cutAfter(bytes);
  }

  /** Resets new connections at once. */
  refuse(): void {
    this.#onVerb('refuse', 'new', '');
    this.#refusing = true;
  }

  /** Ends all disturbances. Links that have lost bytes are reset, because their data is incomplete. */
  heal(): void {
    this.#onVerb('heal', 'all', '');
    this.#refusing = false;
    this.#weather = fairWeather();
    for (const link of Array.from(this.links)) link.heal();
  }

  async close(): Promise<void> {
    for (const link of Array.from(this.links)) link.reset();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #chosen(link: Link | undefined): readonly Link[] {
    return link === undefined ? [...this.links] : [link];
  }

  #set(verb: LinkVerb, how: string, link: Link | undefined, change: (weather: Weather) => void): void {
    this.#onVerb(verb, nameOf(link), how);
    if (link === undefined) change(this.#weather);
    for (const each of this.#chosen(link)) each.set(change);
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.#refusing) {
      client.resetAndDestroy();
      return;
    }
    const { latencyMs, jitterMs, bandwidth, slice, swallowed } = this.#weather;
    const weather = { latencyMs, jitterMs, bandwidth, slice, swallowed: new Set(swallowed) };
    const upstream = connect(this.#target.port, this.#target.host);
    const link = new Link(`link${++this.#count}`, client, upstream, weather, this.#random);
    this.links.add(link);
    client.once('close', () => this.links.delete(link));
  }
}

/** One connection through the proxy. */
export class Link {
  readonly name: string;
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #down: Pipe;
  readonly #up: Pipe;
  #weather: Weather;

  constructor(name: string, client: Socket, upstream: Socket, weather: Weather, random: Random) {
    this.name = name;
    this.#client = client;
    this.#upstream = upstream;
    this.#weather = weather;
    upstream.on('error', () => {});
    this.#down = new Pipe(upstream, client, 'down', weather, random);
    this.#up = new Pipe(client, upstream, 'up', weather, random);
    client.once('close', () => upstream.destroy());
    // The client of an unavailable server sees a reset.
    upstream.once('close', (failed) => {
      if (failed) client.resetAndDestroy();
    });
  }

  set(change: (weather: Weather) => void): void {
    change(this.#weather);
    this.#down.wake();
    this.#up.wake();
  }

  cutAfter(bytes: number): void {
    this.#down.cutAfter(bytes, () => {
      this.#client.destroy();
      this.#upstream.destroy();
    });
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#upstream.resetAndDestroy();
  }

  heal(): void {
    if (this.#weather.swallowed.size > 0) {
      this.reset();
      return;
    }
    Object.assign(this.#weather, { ...fairWeather(), swallowed: this.#weather.swallowed });
    this.#down.wake();
    this.#up.wake();
  }
}

interface Held {
  bytes: Buffer;
  readonly due: number;
}

/** Carries the data of one direction with its delay, its bandwidth and its size of pieces. */
class Pipe {
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #direction: Direction;
  readonly #weather: Weather;
  readonly #random: Random;
  #held: Held[] = [];
  #bytes = 0;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;
  #left: number | undefined;
  #onCut: () => void = () => {};

  constructor(source: Socket, target: Socket, direction: Direction, weather: Weather, random: Random) {
    this.#source = source;
    this.#target = target;
    this.#direction = direction;
    this.#weather = weather;
    this.#random = random;
    source.on('data', (bytes) => this.#take(bytes));
    source.once('end', () => {
      this.#ended = true;
      this.wake();
    });
    target.on('drain', () => this.wake());
    source.once('close', () => this.#stopIfEmpty());
  }

  cutAfter(bytes: number, onCut: () => void): void {
    this.#left = bytes;
    this.#onCut = onCut;
  }

  wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pump();
  }

  #take(bytes: Buffer): void {
    const { latencyMs, jitterMs } = this.#weather;
    const last = this.#held.at(-1)?.due ?? 0;
    const delay = latencyMs + (jitterMs === 0 ? 0 : this.#random.between(-jitterMs, jitterMs));
    this.#held.push({ bytes, due: Math.max(last, performance.now() + Math.max(0, delay)) });
    this.#bytes += bytes.length;
    if (this.#bytes > MOST_HELD) this.#source.pause();
    if (this.#timer === undefined) this.#pump();
  }

  #pump(): void {
    const { swallowed, bandwidth, slice } = this.#weather;
    if (swallowed.has(this.#direction)) {
      this.#source.pause();
      return;
    }
    let allowance = bandwidth === undefined ? Number.POSITIVE_INFINITY : Math.max(1, (bandwidth * TICK_MS) / 1_000);
    for (let first = this.#held[0]; first !== undefined && allowance > 0; first = this.#held[0]) {
      const wait = first.due - performance.now();
      if (wait > 0) {
        this.#later(wait);
        return;
      }
      if (this.#target.writableNeedDrain) return;
      const most = Math.min(
        first.bytes.length,
        Math.floor(allowance),
        slice ?? Number.POSITIVE_INFINITY,
        this.#left ?? Number.POSITIVE_INFINITY,
      );
      this.#write(first, Math.max(1, most));
      if (this.#left === 0) {
        this.#onCut();
        return;
      }
      allowance -= most;
      // The kernel would join pieces that are written within one turn of the event loop.
      if (slice !== undefined && this.#held.length > 0) {
        this.#later(bandwidth === undefined ? 0 : TICK_MS);
        return;
      }
    }
    if (this.#held.length > 0) this.#later(TICK_MS);
    else if (this.#ended) this.#target.end();
    else if (!this.#source.destroyed) this.#source.resume();
  }

  #write(first: Held, bytes: number): void {
    if (!this.#target.destroyed) this.#target.write(first.bytes.subarray(0, bytes));
    this.#bytes -= bytes;
    if (this.#left !== undefined) this.#left = Math.max(0, this.#left - bytes);
    if (bytes === first.bytes.length) this.#held.shift();
    else first.bytes = first.bytes.subarray(bytes);
  }

  #later(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, milliseconds);
  }

  #stopIfEmpty(): void {
    if (this.#target.destroyed) clearTimeout(this.#timer);
  }
}

function fairWeather(): Weather {
  return { latencyMs: 0, jitterMs: 0, bandwidth: undefined, slice: undefined, swallowed: new Set() };
}

function nameOf(link: Link | undefined): string {
  return link?.name ?? 'all';
}
