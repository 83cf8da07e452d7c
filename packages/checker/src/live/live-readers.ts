import type { Random } from '@rivulet/testkit/random';
import { EventClient } from '../client/event-client.js';
import { PollClient } from '../client/poll-client.js';
import { ReferenceClient, type Watched } from '../client/reference-client.js';
import type { WatchingClient } from '../client/watching-client.js';
import type { NewOp } from '../history/op.js';
import type { Bell } from './bell.js';
import { LiveHttp } from './live-http.js';
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

/** Longest pause before a client connects again, in milliseconds. */
const REDIAL_MS = 150;

/** Stream clients on real sockets, one in four by plain HTTP. They reconnect and resume from their positions. */
export class LiveReaders {
  readonly clients: readonly WatchingClient[];
  readonly #sockets: readonly { drop(): void; close(): void }[];

  constructor(options: LiveReadersOptions) {
    const { random, bell, record, groups, items, url } = options;
    const onEvent = () => bell.ring();
    const readers = Array.from({ length: options.count }, (_, n) => {
      if (n % 4 === 2) {
        const client = httpClient(n, options);
        return { client, socket: new LiveHttp({ url, client, random: random.fork(), mostMs: REDIAL_MS, onEvent }) };
      }
      const client = new ReferenceClient(`c${n}`, `u${n}`, watchedBy(n, groups, items, random), record);
      return { client, socket: new LiveSocket(url, client, random.fork(), REDIAL_MS, onEvent) };
    });
    this.clients = readers.map(({ client }) => client);
    this.#sockets = readers.map(({ socket }) => socket);
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

/** Returns a client of an event stream of one or two groups, or one that polls. */
function httpClient(n: number, { groups, items, random, record }: LiveReadersOptions): EventClient | PollClient {
  const group = groups[n % groups.length] as string;
  const names = { name: `h${n}`, who: `u${n}`, record };
  if (n % 8 === 2) {
    const other = groups[(n + 1) % groups.length] as string;
    const targets = other === group || random.chance(0.5) ? [{ group }] : [{ group }, { group: other, item: `i${random.zipf(items)}` }];
    return new EventClient({ ...names, targets, sinceInQuery: random.chance(0.3) });
  }
  return new PollClient({
    ...names,
    target: { group },
    waitS: random.pick([0, 1, 2]),
    beginsBySnapshot: random.chance(0.5),
    after: (came, next) => setTimeout(next, came === 'answer' ? random.between(0, 20) : REDIAL_MS),
  });
}
