// Starts and stops the store in the given directory; the start compacts the data file if most of it is free. With a number, first writes
// that number of items to one group, and deletes twenty times their space.
import { createLmdbStore } from '@rivulet/engine/stores';

const [, , path, count = '0'] = process.argv;
const silent = () => {};
const store = createLmdbStore({
  path,
  durability: 'commit',
  saveIntervalMs: 1_000,
  tombstoneRetentionMs: 86_400_000,
  clock: { now: Date.now, monotonic: () => performance.now() },
  logger: { debug: silent, info: silent, warn: silent, error: silent },
  compaction: { leastFileBytes: 0, mostUsedBytes: 1_073_741_824 },
});
await store.start({ onCommit: silent, onBreak: silent });
const group = { stream: 's', group: 'g' };
const all = (name, apply) => Promise.all(Array.from({ length: Number(count) }, (_, n) => apply(`${name}${n}`, n)));
await all('i', (item, n) => store.apply({ kind: 'set', ...group, item, data: JSON.stringify({ n }) }));
await all('x', (item) => store.apply({ kind: 'set', ...group, item, data: JSON.stringify('x'.repeat(8_000)) }));
await all('x', (item) => store.apply({ kind: 'delete', ...group, item }));
await store.close();
