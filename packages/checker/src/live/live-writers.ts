import type { Random } from '@rivulet/testkit/random';
import { WorkerClient } from '../client/worker-client.js';
import type { NewOp } from '../history/op.js';
import type { Bell } from './bell.js';
import { LiveSocket } from './live-socket.js';

export interface LiveWritersOptions {
  readonly url: () => string;
  readonly groups: readonly string[];
  readonly items: number;
  readonly workers: number;
  readonly lanes: number;
  /** Longest pause of a lane between two writes, in milliseconds. */
  readonly thinkMs: number;
  readonly random: Random;
  readonly bell: Bell;
  /**
   * Error codes after which it is unknown whether a write was applied.
   * @default none
   */
  readonly vague?: readonly string[];
  readonly record: (op: NewOp) => void;
}

/** Id of the item that is written last. */
export const MARK = 'mark';

/** Workers on real sockets that write continuously. */
export class LiveWriters {
  readonly clients: readonly WorkerClient[];
  readonly #options: LiveWritersOptions;
  readonly #sockets: readonly LiveSocket[];
  readonly #timers = new Set<NodeJS.Timeout>();
  #writing = true;
  /** Value of the last write of each group. */
  readonly marks = new Map<string, string>();
  /** Number of writes that were sent. */
  sent = 0;

  constructor(options: LiveWritersOptions) {
    const { random, bell, record } = options;
    this.#options = options;
    this.clients = Array.from({ length: options.workers }, (_, n) => new WorkerClient(`w${n}`, record, options.vague));
    this.clients[0]?.serve((call, answer) => answer(`r.${call}`));
    this.#sockets = this.clients.map((client) => new LiveSocket(options.url, client, random.fork(), 60, () => bell.ring()));
    for (const client of this.clients) for (let lane = 0; lane < options.lanes; lane++) this.#work(client, `l${lane}`);
  }

  get idle(): boolean {
    return this.clients.every((client) => client.idle);
  }

  /** Ends all writes. */
  rest(): void {
    this.#writing = false;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Writes one last item to each group. A subscription that has it has everything. */
  mark(): void {
    const client = this.clients.find(({ online }) => online);
    for (const [n, g] of this.#options.groups.entries()) {
      const v = client?.write(`mark${n}`, 'set', g, MARK, 0);
      if (v !== undefined) this.marks.set(g, v);
    }
  }

  close(): void {
    this.rest();
    for (const socket of this.#sockets) socket.close();
  }

  #work(client: WorkerClient, lane: string): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        if (!this.#writing) return;
        if (client.online && !client.busy(lane)) this.#act(client, lane);
        this.#work(client, lane);
      },
      this.#options.random.between(0, this.#options.thinkMs),
    );
    this.#timers.add(timer);
  }

  #act(client: WorkerClient, lane: string): void {
    const { random, groups, items } = this.#options;
    const g = groups[random.zipf(groups.length)] as string;
    const k = `i${random.zipf(items)}`;
    const draw = random.below(100);
    client.retry();
    if (draw < 5) client.read(lane, g, k);
    else if (draw < 8) client.call(lane);
    else {
      this.sent++;
      if (draw < 15)
        client.batch(lane, g, new Map(Array.from({ length: random.between(2, 4) }, () => [`i${random.zipf(items)}`, random.chance(0.8)])));
      else if (draw < 55) client.write(lane, 'set', g, k, random.below(200));
      else if (draw < 70) client.write(lane, 'update', g, k, 0);
      else if (draw < 85) client.write(lane, 'delete', g, k, 0);
      else client.write(lane, 'send', g, random.chance(0.5) ? k : undefined, 0);
    }
  }
}
