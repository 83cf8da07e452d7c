import { join } from 'node:path';
import { OpenStore } from '@rivulet/conformance/store-contract/factory';
import type { GroupBounds } from '@rivulet/engine/store';
import { lmdbFactory } from '@rivulet/testkit/stores/store-factories';
import { expect, onTestFinished, test } from 'vitest';
import { PageFile } from '../../src/store/lmdb/pages/page-file.js';
import { StoreTrees } from '../../src/store/lmdb/pages/store-trees.js';
import { decodeHead, splitHeadKey } from '../../src/store/lmdb/tables/records.js';

const BOUNDS: GroupBounds = { maxBytes: 10, onFull: 'refuse' };

/** Returns the counted bytes of each group in a closed store. */
function bytesIn(directory: string): Record<string, number | undefined> {
  const file = new PageFile(join(directory, 'data.mdb'));
  try {
    if (file.newest === undefined) throw new Error('the store has no sound meta page');
    const trees = new StoreTrees(file, file.newest, (tree, page, problem) => {
      throw new Error(`page ${page} of ${tree}: ${problem}`);
    });
    const heads = trees.tables().get('heads');
    if (heads === undefined) throw new Error('the store has no heads');
    const reader = trees.read('heads', heads);
    const counted: Record<string, number | undefined> = {};
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      const { stream, group } = splitHeadKey(entry.key);
      counted[`${stream}/${group}`] = decodeHead(entry.key, entry.value).bytes;
    }
    return counted;
  } finally {
    file.close();
  }
}

test('a start counts the bytes of groups whose bound is new, and only of those', async () => {
  const factory = lmdbFactory();
  onTestFinished(() => factory.dispose());
  let open = await OpenStore.start(await factory.create(Date.now));
  const streams = ['a', 'b', 'ba', 'c'];
  for (const stream of streams)
    for (const group of ['', 'g', 'h']) {
      await open.set('é', '123', { stream, group });
      await open.set('deleted', '123', { stream, group });
      await open.delete('deleted', { stream, group });
    }
  await open.store.close();
  const none = Object.fromEntries(streams.flatMap((stream) => ['', 'g', 'h'].map((group) => [`${stream}/${group}`, undefined])));
  expect(bytesIn(factory.directory())).toEqual(none);
  open = await OpenStore.start(await factory.reopen(Date.now, (stream) => (stream === 'b' || stream === 'c' ? BOUNDS : undefined)));
  await open.store.close();
  const counted = { 'b/': 5, 'b/g': 5, 'b/h': 5, 'c/': 5, 'c/g': 5, 'c/h': 5 };
  expect(bytesIn(factory.directory())).toEqual({ ...none, ...counted });
  open = await OpenStore.start(await factory.reopen(Date.now, (stream) => (stream === 'b' ? BOUNDS : undefined)));
  await open.set('x', '1234', { stream: 'b', group: 'g' });
  await open.set('x', '1234', { stream: 'c', group: 'g' });
  await expect(open.set('y', '1', { stream: 'b', group: 'g' })).rejects.toMatchObject({ code: 'GROUP_FULL' });
  await open.store.close();
  // Without its bound a changed group is not counted any more.
  expect(bytesIn(factory.directory())).toEqual({ ...none, ...counted, 'b/g': 10, 'c/g': undefined });
});
