import type { Random } from '@rivulet/testkit/random';
import { ReferenceClient, type Watched } from '../client/reference-client.js';
import type { NewOp } from '../history/op.js';
import type { Bell } from './bell.js';
import { LiveSocket } from './live-socket.js';

export interface LiveReadersOptions {
  readonly url: () => string;
  readonly groups: readonly string[];
  readonly items: number;
  readonly count: number;
  readonly random: Random;
  readonly bell: Bell;
  readonly record: (op: NewOp) => void;
}

/** Stream clients on real sockets. They reconnect and resume from their positions. */
export class LiveReaders {
  readonly clients: readonly ReferenceClient[];
  readonly #sockets: readonly LiveSocket[];

  constructor(options: LiveReadersOptions) {
    const { random, bell, record, groups, items } = options;
    this.clients = Array.from(
      { length: options.count },
      (_, n) => new ReferenceClient(`c${n}`, `u${n}`, watchedBy(n, groups, items, random), record),
    );
    this.#sockets = this.clients.map((client) => new LiveSocket(options.url, client, random.fork(), 150, () => bell.ring()));
  }

  /** Number of changes that applications have seen. */
  get shown(): number {
    return this.clients.reduce((sum, { shown }) => sum + shown, 0);
  }

  get whole(): boolean {
    return this.clients.every(({ online, whole }) => online && whole);
  }

  drop(n: number): void {
    this.#sockets[n]?.drop();
  }

  recordStates(): void {
    for (const client of this.clients) client.recordStates();
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

/** Chooses the targets of a reader: whole groups for some readers, one item for others. One in eight is not position-aware. */
function watchedBy(n: number, groups: readonly string[], items: number, random: Random): Watched[] {
  const positions = n % 8 !== 7;
  const group = groups[n % groups.length] as string;
  const watched: Watched[] = [{ group, positions }];
  if (random.chance(0.2)) watched.push({ group: random.pick(groups), item: `i${random.zipf(items)}`, positions: true });
  return watched;
}
