import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { type StreamFrame, StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

// Clients join, leave, stop reading and read again while all items are written. In the end each client has the items of the store. No
// client ever gets an older value after a newer one. RIVULET_MIRROR_SEEDS=500 runs more seeds.

const SEEDS = Number(process.env.RIVULET_MIRROR_SEEDS ?? 12);
const STREAM = 'mirror';
const GROUPS = ['a', 'b'];
const ITEMS = Array.from({ length: 8 }, (_, n) => `i${n}`);
const STEPS = 250;

interface Value {
  readonly id: string;
  readonly n: number;
}

/** Returns a random function (mulberry32). It gives the same numbers on every machine. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below;
  };
}

/** One client and its items. It applies every frame as it comes. */
class Mirror {
  readonly held = new Map<string, Map<string, number>>(GROUPS.map((group) => [group, new Map()]));
  readonly newest = new Map<string, number>();
  readonly wentBack: string[] = [];
  /** The targets of the client, by the id of the subscription. Without an item the target is the whole group. */
  readonly watching = new Map<string, { readonly group: string; readonly item: string | undefined }>();
  readonly #socket: StreamSocket;
  readonly #kept = new Set<string>();
  #ids = 0;
  #applied = 0;

  constructor(socket: StreamSocket) {
    this.#socket = socket;
  }

  join(group: string, item: string | undefined): void {
    const id = `s${this.#ids++}`;
    this.watching.set(id, { group, item });
    this.#socket.join(id, STREAM, group, item);
  }

  /** Joins a group and never leaves it. So no `sync` of a later join can hide a change that this join missed. */
  keep(group: string): void {
    this.#kept.add(group);
    this.#socket.join(`kept-${group}`, STREAM, group);
  }

  watchesGroup(group: string): boolean {
    return this.#kept.has(group) || [...this.watching.values()].some((watched) => watched.group === group && watched.item === undefined);
  }

  leave(id: string): void {
    const { group } = this.watching.get(id) as { group: string };
    this.watching.delete(id);
    this.#socket.leave(id, STREAM, group);
  }

  pause(): void {
    this.#socket.socket.pause();
  }

  resume(): void {
    this.#socket.socket.resume();
  }

  /** Applies all frames of earlier writes. Resolves when they have arrived. */
  async settle(): Promise<void> {
    await this.#socket.settled();
    for (const frame of this.#socket.inbox.all.slice(this.#applied)) this.#apply(frame);
    this.#applied = this.#socket.inbox.all.length;
  }

  #apply({ groupId, id, event }: StreamFrame): void {
    const group = this.held.get(groupId) as Map<string, number>;
    if (event.type === 'sync' && id === null) {
      group.clear();
      for (const value of event.data as Value[]) this.#put(group, groupId, value);
    } else if (event.type === 'delete' || event.data === null) group.delete(String(id));
    else this.#put(group, groupId, event.data as Value);
  }

  #put(group: Map<string, number>, groupId: string, { id, n }: Value): void {
    const name = `${groupId}/${id}`;
    if (n < (this.newest.get(name) ?? -1)) this.wentBack.push(`${name}: ${n} after ${this.newest.get(name)}`);
    this.newest.set(name, n);
    group.set(id, n);
  }
}

const seeds = Array.from({ length: SEEDS }, (_, index) => ({ seed: 1_000 + index, lmdb: index % 2 === 1 }));

test.each(seeds)('ST-6 ST-20 mirrors equal the store and never go back (seed $seed, lmdb $lmdb)', async ({ seed, lmdb }) => {
  const { workerUrl, streamUrl, engine } = await startTestEngine({ lmdb, stream: { logMaxChanges: 15 } });
  const worker = await RawWorker.connect(workerUrl);
  const mirrors = await Promise.all([1, 2, 3].map(async () => new Mirror(await StreamSocket.open(streamUrl))));
  for (const group of GROUPS) mirrors[0]?.keep(group);
  const roll = random(seed);
  const pick = <T>(values: readonly T[]) => values[Math.floor(roll(values.length))] as T;
  const writes: Promise<unknown>[] = [];
  for (let n = 0; n < STEPS; n++) {
    const [group, item, mirror] = [pick(GROUPS), pick(ITEMS), pick(mirrors)];
    const place = { stream_name: STREAM, group_id: group, item_id: item };
    const pad = 'x'.repeat(roll(3) < 1 ? 400_000 : 20);
    if (roll(10) < 2) writes.push(worker.result('stream::delete', place));
    else writes.push(worker.result('stream::set', { ...place, data: { id: item, n, pad } }));
    if (roll(4) < 1) mirror.join(pick(GROUPS), roll(4) < 1 ? undefined : pick(ITEMS));
    if (roll(6) < 1 && mirror.watching.size > 0) mirror.leave(pick([...mirror.watching.keys()]));
    if (roll(8) < 1) mirror.pause();
    if (roll(8) < 1) mirror.resume();
    if (roll(5) < 1) await Promise.all(writes.splice(0));
  }
  await Promise.all(writes);
  for (const mirror of mirrors) {
    mirror.resume();
    // From here on each client watches both groups.
    for (const group of GROUPS) mirror.join(group, undefined);
  }
  for (const group of GROUPS) {
    const data = { id: 'last', n: STEPS };
    await worker.result('stream::set', { stream_name: STREAM, group_id: group, item_id: 'last', data });
    for (const mirror of mirrors) await expect.poll(async () => (await mirror.settle(), mirror.held.get(group)?.get('last'))).toBe(STEPS);
    const stored = (await worker.result('stream::list', { stream_name: STREAM, group_id: group })) as Value[];
    const expected = new Map(
      stored.map((value) => [value.id, value.n]).sort(([a = ''], [b = '']) => (a < b ? -1 : 1)) as [string, number][],
    );
    for (const mirror of mirrors)
      expect(new Map([...(mirror.held.get(group) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)))).toEqual(expected);
  }
  for (const mirror of mirrors) expect(mirror.wentBack).toEqual([]);
  expect(engine.figures().sessions).toBe(mirrors.length);
});
