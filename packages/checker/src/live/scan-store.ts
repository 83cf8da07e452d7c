/**
 * A process of its own that reads a store. The first argument is a directory, `redis://…`, or `cluster:` with nodes. The others name groups
 * as `stream/group`. The process prints one JSON line for each group. It uses the store only, without an engine.
 */
import { createLmdbStore, createRedisStore } from '@rivulet/engine/stores';
import type { ShownItem } from '../history/op.js';
import { describeState } from '../state-hash.js';
import { REDIS_PREFIX } from './redis-nemesis.js';

const [path = '', ...groups] = process.argv.slice(2);
const silent = () => {};
const common = {
  tombstoneRetentionMs: 604_800_000,
  clock: { now: Date.now, monotonic: () => performance.now() },
  logger: { debug: silent, info: silent, warn: silent, error: silent },
};
const redis = { keyPrefix: REDIS_PREFIX, connectTimeoutMs: 5_000, commandTimeoutMs: 5_000, ...common };
const [, nodes] = /^cluster:(.*)$/.exec(path) ?? [];
const store =
  nodes !== undefined
    ? createRedisStore({ url: 'redis://any', servers: { kind: 'cluster', nodes: nodes.split(',') }, ...redis })
    : path.startsWith('redis:')
      ? createRedisStore({ url: path, ...redis })
      : createLmdbStore({ path, durability: 'commit', saveIntervalMs: 1_000, ...common });
await store.start({ onCommit: silent, onBreak: silent });
for (const g of groups) {
  const [stream = '', group = ''] = g.split('/');
  const snapshot = await store.snapshot({ stream, group });
  const items: ShownItem[] = [];
  const changed: number[] = [];
  for await (const chunk of snapshot.chunks()) {
    for (const item of chunk) {
      const { v } = JSON.parse(item.data) as { readonly v?: string };
      items.push([item.item, v ?? '', item.created]);
      changed.push(item.changed);
    }
  }
  snapshot.close();
  const { epoch: e, offset: s } = snapshot.position;
  process.stdout.write(`${JSON.stringify({ p: 'disk', type: 'ok', f: 'final', g, e, s, ...describeState(items), items, changed })}\n`);
}
await store.close();
