import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { contentsText, listedFiles } from '../../packing/contents.mjs';
import { folderOf, manifestOf, PUBLISHED } from '../../packing/published.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

// packed-files.test.ts compares the tarballs themselves. This one is quick, so that a change finds a missing line of the list soon.
it.each(PUBLISHED)('the files of %s are those of its list; `npm run api` writes it anew after a change', (name) => {
  const isBuilt = !manifestOf(name).files.includes('dist') || existsSync(join(folderOf(name), 'dist'));
  expect(isBuilt, 'build the packages first: npm run build').toBe(true);
  expect(contentsText(name, listedFiles(name))).toBe(readFileSync(join(ROOT, 'scripts/packing/contents', `${name}.txt`), 'utf8'));
});
