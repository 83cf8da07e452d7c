import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { storedPictures } from '../pictures.js';

const MOST_BYTES = 2_000_000;

test('docs/inspector.md shows each stored picture, and they are small together', async () => {
  const document = readFileSync(new URL('../../../../docs/inspector.md', import.meta.url), 'utf8');
  const shown = [...document.matchAll(/\(images\/inspector\/([^)]+)\)/g)].map(([, name = '']) => name);
  const { names, bytes } = await storedPictures();
  expect(names.length).toBeGreaterThan(0);
  expect([...new Set(shown)].sort()).toEqual([...names].sort());
  expect(bytes).toBeLessThan(MOST_BYTES);
});
