import { connect, type GroupView, type StreamClient } from '@rivulet/client';
import { Random } from '@rivulet/testkit/random';
import { WebSocket } from 'ws';
import { Bell } from './bell.js';
import { EngineProcess } from './engine-process.js';
import { scanStore } from './final-scan.js';
import { LiveWriters, MARK } from './live-writers.js';

export interface ClientRunOptions {
  readonly seed: number;
  /** Number of callbacks after which the run ends. */
  readonly deliveries: number;
  readonly clients: number;
  readonly groups: number;
  /** Mean time in milliseconds until a client loses its socket. */
  readonly dropMs: number;
}

export interface ClientRunResult {
  /** Number of changes and events that applications received. */
  readonly deliveries: number;
  /** Number of connections beyond the first of each client. */
  readonly reconnects: number;
  readonly milliseconds: number;
  /** Number of offsets that came twice or after a higher one. */
  readonly repeated: number;
  /** Number of offsets that callbacks skipped without an announcement. */
  readonly skipped: number;
  /** Number of views that differ from the store at the end, by an item or by the order. */
  readonly unlike: number;
  readonly views: number;
}

const QUIET_MS = 30_000;
const DROP_TICK_MS = 50;
const STREAM = 'live';
/** The log is so long that a slow machine cannot cause compacted changes, which have no consecutive offsets. */
const SETTINGS = ['log_max_changes: 1000000'];

/**
 * Runs the client package against a real engine, as applications use it. Workers write while sockets are destroyed at random, and every
 * callback is checked.
 * All changes and events of a group have consecutive offsets, and the log is long enough. So each of them must arrive exactly once and in
 * order.
 */
export async function runClients(options: ClientRunOptions, onProgress: (deliveries: number) => void): Promise<ClientRunResult> {
  const run = new ClientRun(options, onProgress);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

/** One view and the callbacks of its application. */
class Watcher {
  readonly group: string;
  readonly view: GroupView<{ readonly v?: string }>;
  readonly #seen: () => void;
  /** Offset of the last callback or of the first state; -1 before both. */
  #offset = -1;
  repeated = 0;
  skipped = 0;

  constructor(client: StreamClient, group: string, seen: () => void) {
    this.group = group;
    this.#seen = seen;
    this.view = client.subscribeGroup(STREAM, group, {
      onChange: ({ offset }) => this.#delivered(offset),
      onEvent: ({ offset }) => this.#delivered(offset),
      onReset: ({ position }) => {
        this.#offset = position?.offset ?? -1;
      },
      onGap: ({ through }) => {
        this.#offset = Math.max(this.#offset, through);
      },
    });
  }

  #delivered(offset: number | undefined): void {
    this.#seen();
    if (offset === undefined || offset <= this.#offset) this.repeated++;
    else if (this.#offset >= 0 && offset !== this.#offset + 1) this.skipped += offset - this.#offset - 1;
    this.#offset = offset ?? this.#offset;
  }
}

class ClientRun {
  readonly #options: ClientRunOptions;
  readonly #onProgress: (deliveries: number) => void;
  readonly #random: Random;
  readonly #bell = new Bell();
  readonly #groups: readonly string[];
  readonly #clients: StreamClient[] = [];
  readonly #watchers: Watcher[] = [];
  /** All sockets that are open. */
  readonly #sockets = new Set<WebSocket>();
  #engine: EngineProcess | undefined;
  #writers: LiveWriters | undefined;
  #drops: NodeJS.Timeout | undefined;
  #deliveries = 0;

  constructor(options: ClientRunOptions, onProgress: (deliveries: number) => void) {
    this.#options = options;
    this.#onProgress = onProgress;
    this.#random = new Random(options.seed);
    this.#groups = Array.from({ length: options.groups }, (_, n) => `g${n}`);
  }

  async run(): Promise<ClientRunResult> {
    const { deliveries, clients, dropMs } = this.#options;
    const begun = performance.now();
    const engine = await EngineProcess.create(SETTINGS);
    this.#engine = engine;
    for (let n = 0; n < clients; n++) this.#connect(engine.ports.stream, this.#groups[n % this.#groups.length] as string);
    await Promise.all(this.#watchers.map(({ view }) => view.whenLive()));
    const groups = this.#groups.map((group) => `${STREAM}/${group}`);
    const url = () => `ws://127.0.0.1:${engine.ports.worker}`;
    const shared = { bell: this.#bell, record: () => {}, random: this.#random.fork() };
    const writers = new LiveWriters({ ...shared, url, groups, items: 200, workers: 2, lanes: 24, thinkMs: 20 });
    this.#writers = writers;
    this.#drops = setInterval(() => this.#drop(DROP_TICK_MS / dropMs), DROP_TICK_MS);
    await this.#bell.until(() => this.#deliveries >= deliveries, 2 ** 31 - 1);
    clearInterval(this.#drops);
    await this.#settle(writers);
    await engine.stop();
    return { ...(await this.#compare(engine, groups)), milliseconds: performance.now() - begun };
  }

  async close(): Promise<void> {
    clearInterval(this.#drops);
    this.#writers?.close();
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.#engine?.remove();
  }

  #connect(port: number, group: string): void {
    const sockets = this.#sockets;
    class Dropped extends WebSocket {
      constructor(address: string | URL, protocols?: string | string[]) {
        super(address, protocols, { perMessageDeflate: false });
        this.once('open', () => sockets.add(this));
        this.once('close', () => sockets.delete(this));
      }
    }
    const client = connect(`ws://127.0.0.1:${port}`, { WebSocket: Dropped });
    this.#clients.push(client);
    this.#watchers.push(new Watcher(client, group, () => this.#count()));
  }

  #count(): void {
    this.#deliveries++;
    if (this.#deliveries % 500_000 === 0) this.#onProgress(this.#deliveries);
    if (this.#deliveries >= this.#options.deliveries) this.#bell.ring();
  }

  #drop(probability: number): void {
    for (const socket of Array.from(this.#sockets)) if (this.#random.chance(probability)) socket.terminate();
  }

  /** Ends the writes, and resolves when every view has the last write of its group. */
  async #settle(writers: LiveWriters): Promise<void> {
    writers.rest();
    await this.#bell.until(() => writers.idle, QUIET_MS);
    writers.mark();
    const looking = setInterval(() => this.#bell.ring(), DROP_TICK_MS);
    await this.#bell.until(() => writers.idle && this.#watchers.every(({ view }) => view.get(MARK) !== undefined), QUIET_MS);
    clearInterval(looking);
  }

  async #compare(engine: EngineProcess, groups: readonly string[]): Promise<Omit<ClientRunResult, 'milliseconds'>> {
    const finals = new Map<string, string>();
    for (const op of await scanStore(engine.dataDirectory, groups)) {
      finals.set(op.g, JSON.stringify((op.items ?? []).map(([id, v]) => [id, v])));
    }
    const unlike = this.#watchers.filter(({ group, view }) => {
      const items = view.items.map(({ id, data }) => [id, data.v ?? '']);
      return JSON.stringify(items) !== finals.get(`${STREAM}/${group}`);
    });
    return {
      deliveries: this.#deliveries,
      reconnects: this.#clients.reduce((sum, { counters }) => sum + counters.connections - 1, 0),
      repeated: this.#watchers.reduce((sum, { repeated }) => sum + repeated, 0),
      skipped: this.#watchers.reduce((sum, { skipped }) => sum + skipped, 0),
      unlike: unlike.length,
      views: this.#watchers.length,
    };
  }
}
