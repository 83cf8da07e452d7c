import { randomBytes } from 'node:crypto';
import type { ClientOptions } from 'ws';
import { Gate, STREAM_AUTH } from '../peers/gate.js';
import { PeerChannel } from '../peers/peer-channel.js';
import { PeerHttp } from '../peers/peer-http.js';
import { PeerStream } from '../peers/peer-stream.js';
import { type Handler, PeerWorker } from '../peers/peer-worker.js';

/** A listener that a case needs. docs/conformance.md has the configuration of each listener. */
export type Need = 'http' | 'rbac' | 'stream' | 'stream-auth' | 'worker';

/** Addresses of the server under test, without a slash at the end. */
export type Addresses = Readonly<Partial<Record<Need, string>>>;

/** One behaviour of a server, tested over sockets only. */
export interface Case {
  /** Ids of rules.json that fail when the case fails. */
  readonly rules: readonly string[];
  /** The behaviour as a statement. */
  readonly title: string;
  readonly needs: readonly Need[];
  /** Rejects when the server behaves otherwise. */
  run(context: CaseContext): Promise<void>;
}

type StreamOptions = ClientOptions & { readonly protocols?: readonly string[] };

/** Gives one run of a case its peers and names. `end` closes everything that the case opened. */
export class CaseContext {
  /** Longest wait for something that a server does at once, in milliseconds. */
  readonly patienceMs: number;
  readonly #addresses: Addresses;
  readonly #ends: (() => unknown)[] = [];
  #decidesForStreams = false;
  readonly #token = randomBytes(6).toString('hex');

  constructor(addresses: Addresses, patienceMs: number) {
    this.#addresses = addresses;
    this.patienceMs = patienceMs;
  }

  /** Returns a name that nothing on the server has. */
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

  /** Connects a worker that serves the functions of the guest listener until the case ends. */
  async gate(): Promise<Gate> {
    return Gate.open(await this.worker());
  }

  /** Connects a guest. Rejects with `UpgradeRefused` when the auth function refuses it. */
  async session(path = '/', socket: ClientOptions = {}): Promise<PeerWorker> {
    const session = await PeerWorker.connect(this.address('rbac') + path, this.patienceMs, socket);
    this.#ends.push(() => session.socket.terminate());
    return session;
  }

  /** Serves the auth function of the stream listener until the case ends. */
  async streamAuth(handler: Handler): Promise<PeerWorker> {
    const worker = await this.worker();
    await worker.serve(STREAM_AUTH, handler);
    this.#decidesForStreams = true;
    return worker;
  }

  /** Connects a stream client. If the listener has an auth function that the case does not serve, every client may connect. */
  async stream(path = '/', socket: StreamOptions = {}): Promise<PeerStream> {
    if (!this.#decidesForStreams && this.address('stream') === this.#addresses['stream-auth']) await this.streamAuth(() => ({}));
    return this.#streamOf('stream', path, socket);
  }

  /** Connects a stream client to the listener with an auth function. The case must serve that function (`streamAuth`). */
  async authorised(path = '/', socket: StreamOptions = {}): Promise<PeerStream> {
    return this.#streamOf('stream-auth', path, socket);
  }

  async #streamOf(need: Need, path: string, socket: StreamOptions): Promise<PeerStream> {
    const stream = await PeerStream.connect(this.address(need) + path, this.patienceMs, socket);
    this.#ends.push(() => stream.socket.terminate());
    return stream;
  }

  /** Returns a client of the HTTP listener with its own worker. The worker also serves the middleware of the listener. */
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

  /** Runs `work` when the case ends, also after a failure. Work that was added last runs first, and sockets close in the same order. */
  atEnd(work: () => unknown): void {
    this.#ends.push(work);
  }

  async end(): Promise<void> {
    for (const work of this.#ends.splice(0).toReversed()) {
      try {
        await work();
      } catch {
        // Nothing else uses the names of this case, so leftovers do no harm. The outcome of the case reports the failure itself.
      }
    }
  }
}

/** Waits until `check` returns true. Resolves to its last result when the time is over. */
export async function eventually(patienceMs: number, check: () => Promise<boolean> | boolean): Promise<boolean> {
  const until = performance.now() + patienceMs;
  while (!(await check())) {
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}
