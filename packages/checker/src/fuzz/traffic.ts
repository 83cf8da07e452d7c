import { LIMITS } from '@rivulet/protocol';
import type { Random } from '@rivulet/testkit/random';
import { adminRequest } from './admin-requests.js';
import { broken, message, pingFrame, randomBytes } from './frames.js';
import { brokenRequest, httpRequest, readRequest, upgradeHead } from './heads.js';
import type { HostileWorker } from './hostile-worker.js';
import { Peer } from './peer.js';
import { CALL_SEEDS, STREAM_SEEDS, WORKER_SEEDS } from './seeds.js';
import { mutated, type Seed } from './strange.js';
import type { TargetPorts } from './target.js';

/** Number of messages in one write. */
const BATCH = 32;
/** Number of writes of one peer that may be unanswered. */
const MOST_UNANSWERED = 3;
/** Payload of the ping that ends each write. The engine answers it with a pong. */
const ANSWER = 'fuzz-pong';
const PING = pingFrame(ANSWER);
/** Milliseconds that a peer waits for an answer before it connects again. */
const PATIENCE_MS = 5_000;

/** Probability that a message ends its connection, and that the head of the next connection is odd. */
const BREAKS = 0.004;
const ODD_HEAD = 0.3;

/** The kinds of peers. */
export type PeerKind = 'stream' | 'live' | 'worker' | 'guest' | 'guarded' | 'http' | 'read' | 'admin' | 'channel' | 'otel';

/** A kind of listener and the messages of its peers. */
interface Kind {
  readonly name: PeerKind;
  readonly peers: number;
  /** Frequency of its turns, relative to other kinds. */
  readonly weight: number;
  /**
   * Number of messages in one write.
   * @default BATCH
   */
  readonly batch?: number;
  readonly port: (ports: TargetPorts) => number;
  readonly head: (random: Random, odd: boolean, worker: HostileWorker) => string;
  readonly next: (random: Random) => Buffer;
  /** Returns bytes that are very likely to end the connection. */
  readonly broken: (random: Random) => Buffer;
}

const spoken = (seeds: readonly Seed[]) => ({
  next: (random: Random) => message(mutated(seeds, random), random, random.chance(0.1)),
  broken: (random: Random) => broken(mutated(seeds, random), random),
});
const bytes = (most: number) => ({
  next: (random: Random) => message(randomBytes(random, most), random, true),
  broken: (random: Random) => broken('x', random),
});

const KINDS: readonly Kind[] = [
  {
    name: 'stream',
    peers: 12,
    weight: 44,
    port: (ports) => ports.stream,
    head: (r, odd) => upgradeHead(`${r.pick(['/', '/stream/fz/a', '/stream/fz2/b/i'])}?token=t${r.below(1e6)}&positions=1`, r, odd),
    ...spoken(STREAM_SEEDS),
  },
  {
    name: 'live',
    peers: 6,
    weight: 6,
    port: (ports) => ports.admin,
    head: (r, odd) => upgradeHead(r.pick(['/live', '/live/', '/live/stream/fz/a', '/live/stream/fz2/b/i?positions=1']), r, odd),
    ...spoken(STREAM_SEEDS),
  },
  {
    name: 'worker',
    peers: 6,
    weight: 16,
    port: (ports) => ports.worker,
    head: (r, odd) => upgradeHead('/', r, odd),
    ...spoken(WORKER_SEEDS),
  },
  {
    name: 'guest',
    peers: 6,
    weight: 14,
    port: (ports) => ports.guest,
    head: (r, odd) => upgradeHead(`/?api_key=k${r.below(1e6)}`, r, odd),
    ...spoken(WORKER_SEEDS),
  },
  {
    name: 'guarded',
    peers: 3,
    weight: 6,
    port: (ports) => ports.guarded,
    head: (r, odd) => upgradeHead('/', r, odd),
    ...spoken(CALL_SEEDS),
  },
  {
    name: 'http',
    peers: 32,
    weight: 8,
    batch: 8,
    port: (ports) => ports.http,
    head: () => '',
    next: httpRequest,
    broken: brokenRequest,
  },
  {
    name: 'read',
    peers: 24,
    weight: 8,
    batch: 4,
    port: (ports) => ports.stream,
    head: () => '',
    next: readRequest,
    broken: brokenRequest,
  },
  {
    name: 'admin',
    peers: 16,
    weight: 6,
    // The listener ends a connection with more unanswered requests.
    batch: LIMITS.adminPipelined,
    port: (ports) => ports.admin,
    head: () => '',
    next: adminRequest,
    broken: brokenRequest,
  },
  {
    name: 'channel',
    peers: 6,
    weight: 8,
    port: (ports) => ports.worker,
    head: (r, odd, worker) => upgradeHead(worker.channels.length === 0 ? '/ws/channels/x?key=k&dir=read' : r.pick(worker.channels), r, odd),
    ...bytes(400),
  },
  { name: 'otel', peers: 2, weight: 6, port: (ports) => ports.guest, head: (r, odd) => upgradeHead('/otel', r, odd), ...bytes(400) },
];

/** All hostile peers of one round. */
export class Traffic {
  readonly #worker: HostileWorker;
  readonly #random: Random;
  readonly #peers: ReadonlyMap<Kind, readonly Peer[]>;
  /** Each kind as often as its weight. */
  readonly #turns: readonly Kind[];
  /** Monotonic time in milliseconds when each peer connected or written last. */
  readonly #usedAt = new Map<Peer, number>();
  /** Number of messages that were sent, including the heads of connections. */
  sent = 0;

  /** `only`: the kinds of peers. @default all */
  constructor(ports: TargetPorts, worker: HostileWorker, random: Random, only?: readonly PeerKind[]) {
    const kinds = KINDS.filter(({ name }) => only?.includes(name) ?? true);
    this.#worker = worker;
    this.#random = random;
    this.#peers = new Map(
      kinds.map((kind) => [
        kind,
        Array.from({ length: kind.peers }, () => new Peer(kind.port(ports), isWebSocket(kind) ? ANSWER : undefined)),
      ]),
    );
    this.#turns = kinds.flatMap((kind) => Array.from({ length: kind.weight }, () => kind));
  }

  /** Lets some peers write a batch. Returns false if none of them could. */
  step(): boolean {
    let written = false;
    for (let turn = 0; turn < 8; turn++) {
      const kind = this.#random.pick(this.#turns);
      const peer = this.#random.pick(this.#peers.get(kind) ?? []);
      if (this.#takes(kind, peer)) {
        this.#write(kind, peer);
        written = true;
      }
    }
    return written;
  }

  /** Returns whether a peer accepts messages now. Connects a peer that has no connection. */
  #takes(kind: Kind, peer: Peer): boolean {
    const now = performance.now();
    if (!peer.open || now - (this.#usedAt.get(peer) ?? 0) > PATIENCE_MS) {
      if (kind.name === 'channel') this.#worker.makeChannel();
      peer.start(kind.head(this.#random, this.#random.chance(ODD_HEAD), this.#worker));
      this.#usedAt.set(peer, now);
      this.sent++;
      return !isWebSocket(kind);
    }
    if (isWebSocket(kind)) return peer.upgraded && !peer.full && peer.unanswered < MOST_UNANSWERED;
    return peer.unanswered === 0;
  }

  #write(kind: Kind, peer: Peer): void {
    const random = this.#random;
    const batch = kind.batch ?? BATCH;
    const breaks = random.chance(BREAKS * batch);
    const parts: Buffer[] = [];
    for (let n = breaks ? random.below(batch) : batch; n > 0; n--) parts.push(kind.next(random));
    if (breaks) parts.push(kind.broken(random));
    this.sent += parts.length;
    if (isWebSocket(kind)) parts.push(PING);
    peer.write(Buffer.concat(parts));
    this.#usedAt.set(peer, performance.now());
    if (breaks) peer.retire();
  }

  /** Resolves when the engine has read all messages or ended their connections. Returns the listeners where it did neither. */
  async settle(): Promise<readonly string[]> {
    const waits: Promise<string | undefined>[] = [];
    for (const [kind, peers] of this.#peers) {
      // A channel without a reader blocks its writer. An event stream takes no further request.
      if (kind.name === 'channel' || kind.name === 'read') continue;
      for (const [index, peer] of peers.entries()) {
        // Before the upgrade the engine waits for the rest of a head, and ends the connection after a timeout.
        if (isWebSocket(kind) && !peer.upgraded) continue;
        const mark = `mark-${index}`;
        const bytes = isWebSocket(kind) ? pingFrame(mark) : Buffer.from('GET /mark HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
        waits.push(peer.settle(bytes, mark).then((done) => (done ? undefined : kind.name)));
      }
    }
    return (await Promise.all(waits)).filter((name) => name !== undefined);
  }

  end(): void {
    for (const peers of this.#peers.values()) for (const peer of peers) peer.end();
  }
}

function isWebSocket({ name }: Kind): boolean {
  return name !== 'http' && name !== 'read' && name !== 'admin';
}
