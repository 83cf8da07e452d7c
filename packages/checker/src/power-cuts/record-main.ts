/**
 * A process that strace records. It opens both stores of a directory, writes to them at random, reports everything that is acknowledged,
 * and ends as a killed or a stopped engine does. Arguments: the directory, the file of the marks, a seed, a durability, a number of steps,
 * `kill` or `close`.
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '@rivulet/testkit/random';
import { FINGERPRINT, type Mark, RETENTION_MS } from './marks.js';
import {
  type Durability,
  FEED,
  GROUPS,
  hashOf,
  readGroups,
  SMALL_LOG,
  STORES,
  STREAM,
  type Store,
  type StoreName,
  storeIn,
} from './stored-groups.js';

const [directory = '', marks = '', seed = '1', durability = 'commit', steps = '40', end = 'kill'] = process.argv.slice(2);
const random = new Random(Number(seed));
const file = openSync(marks, 'a');

const report = (mark: Mark) => writeSync(file, `${JSON.stringify(mark)}\n`);

/** Largest value, in characters. */
const LARGE = 30_000;
const ITEMS = 12;
let written = 0;
const limits = random.chance(0.7) ? SMALL_LOG : undefined;

const value = (): string =>
  JSON.stringify({ n: ++written, fill: 'x'.repeat(random.chance(0.08) ? random.below(LARGE) : random.below(300)) });

const item = (): string => `i${random.zipf(ITEMS)}`;

function change(group: string) {
  const at = { stream: STREAM, group };
  const choice = random.next();
  if (group === FEED && choice < 0.3) return { kind: 'event', ...at, item: undefined, type: 'tick', data: value() } as const;
  if (choice < 0.7) return { kind: 'set', ...at, item: item(), data: value() } as const;
  if (choice < 0.85) return { kind: 'delete', ...at, item: item() } as const;
  const next = value();
  return { kind: 'update', ...at, item: item(), compute: () => next } as const;
}

async function writeBatch(name: StoreName, store: Store, group: string): Promise<void> {
  const key = `k${++written}`;
  const set = () => ({ kind: 'set', item: item(), data: value() }) as const;
  const rest = Array.from({ length: random.below(4) }, () => (random.chance(0.3) ? ({ kind: 'delete', item: item() } as const) : set()));
  const first = random.chance(0.3) ? ({ ...set(), expiry: { kind: 'ttl', ms: random.between(20, 400) } } as const) : set();
  const answer = `a${written}`;
  const result = await store.write({
    kind: 'write',
    stream: STREAM,
    group,
    changes: [first, ...rest],
    batch: true,
    once: { key, fingerprint: FINGERPRINT, retentionMs: RETENTION_MS, answer: () => answer },
  });
  const [one] = result.kind === 'written' ? result.results : [];
  if (one?.kind === 'applied') report({ m: 'key', store: name, group, key, answer, offset: one.position.offset });
}

async function step(name: StoreName, store: Store): Promise<void> {
  if (random.chance(0.25)) return writeBatch(name, store, random.pick(GROUPS.filter((group) => group !== FEED)));
  const changes = Array.from({ length: random.between(1, 8) }, () => change(random.pick(GROUPS)));
  await Promise.all(changes.map((each) => store.apply(each)));
}

async function open(name: StoreName): Promise<Store> {
  const store = storeIn(join(directory, name), durability as Durability, { now: Date.now, log: () => {}, limits });
  await store.start({
    onCommit({ group, item: of = '', effect, position, created, timestamp, data, through }) {
      report({
        m: 'commit',
        store: name,
        group,
        item: of,
        effect,
        ...position,
        created,
        timestamp,
        hash: hashOf(data),
        isPartial: through !== undefined && through > position.offset,
      });
    },
    onBreak() {},
  });
  report({ m: 'base', store: name, groups: await readGroups(store) });
  return store;
}

const stores = new Map<StoreName, Store>();
for (const name of STORES) stores.set(name, await open(name));
for (let done = 0; done < Number(steps); done++) {
  await Promise.all([...stores].filter(() => random.chance(0.8)).map(([name, store]) => step(name, store)));
  if (random.chance(0.1)) await new Promise((resolve) => setTimeout(resolve, 10));
}
if (end === 'kill') {
  for (const [name, store] of stores) step(name, store).catch(() => {});
  // A part of the last steps is on its way.
  for (let turns = random.below(12); turns > 0; turns--) await new Promise(setImmediate);
  process.kill(process.pid, 'SIGKILL');
}
for (const [name, store] of stores) {
  await store.close();
  report({ m: 'closed', store: name });
}
