import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const page = read('docs/upgrading.md');

it.each([
  ['Store in a directory', 'packages/engine/src/store/lmdb/env/store-marker.ts', /^const FORMAT = (\d+);/m],
  ['Keys in a Redis', 'packages/engine/src/store/redis/keys.ts', /^export const LAYOUT = '(\d+)';/m],
  ['Backup', 'packages/engine/src/tools/manifest.ts', /^const FORMAT = (\d+);/m],
  ['Export', 'packages/engine/src/tools/export-file.ts', /^export const EXPORT_FORMAT = (\d+);/m],
  ['Copies in a browser', 'packages/client/src/persistence/persistent-copy.ts', /^const VERSION = (\d+);/m],
])('docs/upgrading.md has the number of the format of: %s', (data, file, pattern) => {
  const [, number] = pattern.exec(read(file)) ?? [];
  expect(page.split('\n').find((line) => line.startsWith(`| ${data} |`))).toMatch(new RegExp(`^\\|[^|]+\\|[^|]+\\| ${number} \\|`));
});

it('docs/upgrading.md names each older store format that is migrated', () => {
  const [, newest] = /^const FORMAT = (\d+);/m.exec(read('packages/engine/src/store/lmdb/env/store-marker.ts')) ?? [];
  const older = Array.from({ length: Number(newest) - 1 }, (_, n) => n + 1);
  expect(page).toContain(`${older.join(' and ')} are migrated at the start`);
});
