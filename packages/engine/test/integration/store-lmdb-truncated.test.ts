import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OpenStore } from '@rivulet/conformance/store-contract/factory';
import { lmdbFactory } from '@rivulet/testkit/stores/store-factories';
import { open } from 'lmdb';
import { expect, onTestFinished, test } from 'vitest';
import { usedBytes } from '../../src/store/lmdb/pages/meta-pages.js';

async function closedStore() {
  const factory = lmdbFactory();
  const opened = await OpenStore.start(await factory.create(Date.now));
  onTestFinished(() => factory.dispose());
  await Promise.all(Array.from({ length: 50 }, (_, n) => opened.set(`i${n}`, JSON.stringify('x'.repeat(20_000)))));
  await opened.store.close();
  const restart = async () => OpenStore.start(await factory.reopen(Date.now));
  return { directory: factory.directory(), file: join(factory.directory(), 'data.mdb'), restart };
}

test.each([0.0001, 0.003, 0.02, 0.5, 0.999])('F7 a data file cut off at %d of its size is refused at the start', async (part) => {
  const { file, restart } = await closedStore();
  const { size } = await stat(file);
  await truncate(file, Math.floor(size * part));
  await expect(restart()).rejects.toThrow(
    /data\.mdb is cut off: it has \d+ bytes of at least \d+; restore the whole directory from a backup/,
  );
});

test('the place of the last page in the meta pages is that of the bundled LMDB', async () => {
  const { directory, file } = await closedStore();
  const environment = open({ path: directory, noSubdir: false, maxDbs: 8, encoding: 'binary' });
  for (let n = 0; n < 3; n++) {
    await environment.put(`k${n}`, Buffer.alloc(50_000));
    environment.resetReadTxn();
    const { lastPageNumber, pageSize } = environment.getStats() as { lastPageNumber: number; pageSize: number };
    expect(usedBytes(file)).toBe((lastPageNumber + 1) * pageSize);
  }
  await environment.close();
});

test('a data file whose last pages were never written is whole', async () => {
  const { directory, file, restart } = await closedStore();
  const environment = open({ path: directory, noSubdir: false, maxDbs: 8, encoding: 'binary' });
  await environment.transaction(() => {
    for (let n = 0; n < 100; n++) void environment.put(`k${n}`, Buffer.alloc(30_000));
    for (let n = 0; n < 100; n++) void environment.remove(`k${n}`);
  });
  await environment.close();
  expect((await stat(file)).size).toBeLessThan(usedBytes(file) ?? 0);
  const again = await restart();
  expect((await again.items()).items).toHaveLength(50);
  await again.store.close();
});

test('a compacted copy, and a store whose marker knows no size, are opened', async () => {
  const { directory, file, restart } = await closedStore();
  await mkdir(`${directory}.copy`);
  const environment = open({ path: directory, noSubdir: false, maxDbs: 8, encoding: 'binary' });
  await environment.backup(`${directory}.copy`, true);
  await environment.close();
  const compact = await readFile(join(`${directory}.copy`, 'data.mdb'));
  expect(compact.length).toBeLessThan((await stat(file)).size);
  await writeFile(file, compact);
  const again = await restart();
  expect((await again.items()).items).toHaveLength(50);
  await again.store.close();
  const marker = join(directory, 'rivulet-store.json');
  const { bytes, ...older } = JSON.parse(await readFile(marker, 'utf8')) as { bytes: number };
  expect(bytes).toBe((await stat(file)).size);
  await writeFile(marker, JSON.stringify(older));
  await (await restart()).store.close();
});
