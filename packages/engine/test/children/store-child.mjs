// Writes to the store in the given directory until the process is killed, and prints every acknowledgement.
import { createLmdbStore } from '../../dist/store/lmdb/lmdb-store.js';

const silent = () => {};
const store = createLmdbStore({
  path: process.argv[2],
  durability: 'commit',
  saveIntervalMs: 1_000,
  tombstoneRetentionMs: 86_400_000,
  clock: { now: Date.now, monotonic: () => performance.now() },
  logger: { debug: silent, info: silent, warn: silent, error: silent },
});
await store.start({ onCommit: silent, onBreak: silent });
const ref = { stream: 'chat', group: 'room-1' };
for (let n = 0; ; n++) {
  const item = `i${n % 50}`;
  const [written, event] = await Promise.all([
    store.apply({ kind: 'set', ...ref, item, data: String(n) }),
    store.apply({ kind: 'event', ...ref, item: undefined, type: 't', data: 'null' }),
  ]);
  process.stdout.write(
    `${JSON.stringify({ item, offset: written.position.offset })}\n${JSON.stringify({ offset: event.position.offset })}\n`,
  );
}
