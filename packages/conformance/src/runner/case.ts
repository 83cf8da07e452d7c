import { randomBytes } from 'node:crypto';
import type { ClientOptions } from 'ws';
import { Gate, STREAM_AUTH } from '../peers/gate.js';
import { PeerChannel } from '../peers/peer-channel.js';
import { PeerHttp } from '../peers/peer-http.js';
import { PeerStream } from '../peers/peer-stream.js';
import { type Handler, PeerWorker } from '../peers/peer-worker.js';

/** The address that a case cannot do without. What each listener is configured with is in docs/conformance.md. */
export type Need = 'http' | 'rbac' | 'stream' | 'stream-auth' | 'worker';

/** Where the server under test listens. Addresses without a slash at their end. */
export type Addresses = Readonly<Partial<Record<Need, string>>>;

/** One thing that a server must do, shown over sockets only. */
export interface Case {
  /** Ids of rules.json that fail when this does. */
  readonly rules: readonly string[];
  /** What holds, as a statement. */
  readonly title: string;
  readonly needs: readonly Need[];
  /** Throws when it does not hold. */
  run(context: CaseContext): Promise<void>;
}

type StreamOptions = ClientOptions & { readonly protocols?: readonly string[] };

/** What one run of a case uses. Everything that it opens is closed by `end`. */
export class CaseContext {
  /** How long to wait for what should come at once, in milliseconds. */
  readonly patienceMs: number;
  readonly #addresses: Addresses;
  readonly #ends: (() => unknown)[] = [];
  #decidesForStreams = false;
  readonly #token = randomBytes(6).toString('hex');

  constructor(addresses: Addresses, patienceMs: number) {
    this.#addresses = addresses;
    this.patienceMs = patienceMs;
  }

  /** A name that nothing on the server has. */
  name(what: string): string {
    return `conformance-${this.#token}-${what}`;
  }

  address(need: Need): string {
    const address = this.#addresses[need];
    if (address === undefined) throw new Error(`no address for ${need}`);
    return address;
  }

  async worker(options: ClientOptions & { readonly path?: string } = {}): Promise<PeerWorker> {
    const { path = '/', ...socket } = options;
    const worker = await PeerWorker.connect(this.address('worker') + path, this.patienceMs, socket);
    this.#ends.push(() => worker.socket.terminate());
    return worker;
  }

  /** A worker that decides for the guest listener until the case is over. */
  async gate(): Promise<Gate> {
    return Gate.open(await this.worker());
  }

  /** A session of the guest listener. Rejects with `UpgradeRefused` when the auth function lets it not in. */
  async session(path = '/', socket: ClientOptions = {}): Promise<PeerWorker> {
    const session = await PeerWorker.connect(this.address('rbac') + path, this.patienceMs, socket);
    this.#ends.push(() => session.socket.terminate());
    return session;
  }

  /** Answers what the stream listener asks at each connection, until the case is over. */
  async streamAuth(handler: Handler): Promise<PeerWorker> {
    const worker = await this.worker();
    await worker.serve(STREAM_AUTH, handler);
    this.#decidesForStreams = true;
    return worker;
  }

  /** A client of the stream listener. When that asks who may connect and the case has no answer of its own, everyone may. */
  async stream(path = '/', socket: StreamOptions = {}): Promise<PeerStream> {
    if (!this.#decidesForStreams && this.address('stream') === this.#addresses['stream-auth']) await this.streamAuth(() => ({}));
    return this.#streamOf('stream', path, socket);
  }

  /** A client of the stream listener with an auth function, which the case has to answer itself (`streamAuth`). */
  async authorised(path = '/', socket: StreamOptions = {}): Promise<PeerStream> {
    return this.#streamOf('stream-auth', path, socket);
  }

  async #streamOf(need: Need, path: string, socket: StreamOptions): Promise<PeerStream> {
    const stream = await PeerStream.connect(this.address(need) + path, this.patienceMs, socket);
    this.#ends.push(() => stream.socket.terminate());
    return stream;
  }

  /** The HTTP listener with a worker of its own, which also serves the middleware that the listener asks. */
  async http(): Promise<PeerHttp> {
    const http = new PeerHttp(await this.worker(), `${this.address('http')}/${this.name('path')}`, this.name('http'), this.patienceMs);
    await http.answerMiddleware(() => ({ action: 'continue' }));
    return http;
  }

  async channel(path: string, through: 'rbac' | 'worker' = 'worker'): Promise<PeerChannel> {
    const end = await PeerChannel.connect(this.address(through) + path, this.patienceMs);
    this.#ends.push(() => end.socket.terminate());
    return end;
  }

  /** Runs when the case is over, however it ended; the last one first, before sockets that were opened earlier are closed. */
  atEnd(work: () => unknown): void {
    this.#ends.push(work);
  }

  async end(): Promise<void> {
    for (const work of this.#ends.splice(0).toReversed()) {
      try {
        await work();
      } catch {
        // What is left behind has names that nobody else uses; the outcome of the case says what happened.
      }
    }
  }
}

/** Waits until `check` answers true; its last answer decides when time is up. */
export async function eventually(patienceMs: number, check: () => Promise<boolean> | boolean): Promise<boolean> {
  const until = performance.now() + patienceMs;
  while (!(await check())) {
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}
