// Writes a given number of items to one group of the store in the given directory: `{"n":N}` under the id `i` and N in seven digits. Then
// the process is killed.
import { createLmdbStore } from '@rivulet/engine/stores';

const [, , path, count] = process.argv;
const silent = () => {};
const store = createLmdbStore({
  path,
  durability: 'commit',
  saveIntervalMs: 1_000,
  tombstoneRetentionMs: 86_400_000,
  clock: { now: Date.now, monotonic: () => performance.now() },
  logger: { debug: silent, info: silent, warn: silent, error: silent },
});
await store.start({ onCommit: silent, onBreak: silent });
const AT_ONCE = 16_384;
for (let n = 0; n < Number(count); n += AT_ONCE) {
  const items = Array.from({ length: Math.min(AT_ONCE, Number(count) - n) }, (_, at) => n + at);
  await Promise.all(
    items.map((each) =>
      store.apply({ kind: 'set', stream: 's', group: 'g', item: `i${String(each).padStart(7, '0')}`, data: `{"n":${each}}` }),
    ),
  );
}
process.kill(process.pid, 'SIGKILL');
