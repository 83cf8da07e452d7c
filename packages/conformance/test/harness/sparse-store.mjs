// Starts and stops the store in the given directory; the start compacts the data file if most of it is free. With a number, first writes
// that number of items to one group, and deletes twenty times their space.
import { openStore } from './child-store.mjs';

const [, , path, count = '0'] = process.argv;
const store = await openStore(path, { compaction: { leastFileBytes: 0, mostUsedBytes: 1_073_741_824 } });
const group = { stream: 's', group: 'g' };
const all = (name, apply) => Promise.all(Array.from({ length: Number(count) }, (_, n) => apply(`${name}${n}`, n)));
await all('i', (item, n) => store.apply({ kind: 'set', ...group, item, data: JSON.stringify({ n }) }));
await all('x', (item) => store.apply({ kind: 'set', ...group, item, data: JSON.stringify('x'.repeat(8_000)) }));
await all('x', (item) => store.apply({ kind: 'delete', ...group, item }));
await store.close();
