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
  /** Milliseconds between two writes of a lane, at most. */
  readonly thinkMs: number;
  readonly random: Random;
  readonly bell: Bell;
  /** Codes of failures after which nobody knows whether a write took place; default: none. */
  readonly vague?: readonly string[];
  readonly record: (op: NewOp) => void;
}

/** The item that is written last. */
export const MARK = 'mark';

/** Workers on real sockets that write as fast as they may. */
export class LiveWriters {
  readonly clients: readonly WorkerClient[];
  readonly #options: LiveWritersOptions;
  readonly #sockets: readonly LiveSocket[];
  readonly #timers = new Set<NodeJS.Timeout>();
  #writing = true;
  /** By group: the value of its last write. */
  readonly marks = new Map<string, string>();
  /** Writes that were asked for. */
  asked = 0;

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

  /** Asks for nothing any more. */
  rest(): void {
    this.#writing = false;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** The last write to each group, by a worker that is there. Whoever holds it holds everything. */
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
      this.asked++;
      if (draw < 15)
        client.batch(lane, g, new Map(Array.from({ length: random.between(2, 4) }, () => [`i${random.zipf(items)}`, random.chance(0.8)])));
      else if (draw < 55) client.write(lane, 'set', g, k, random.below(200));
      else if (draw < 70) client.write(lane, 'update', g, k, 0);
      else if (draw < 85) client.write(lane, 'delete', g, k, 0);
      else client.write(lane, 'send', g, random.chance(0.5) ? k : undefined, 0);
    }
  }
}
