import './set-up/node-version.mjs';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentsText, listedFiles } from './packing/contents.mjs';
import { PUBLISHED, PUBLISHED_PROJECTS } from './packing/published.mjs';
import { IMPORTED, publicSurface } from './public-surface/report.mjs';
import { ensureBuilt, ensureInstalled, fail, ROOT } from './set-up/workspace.mjs';

// Runs `npm run api`: builds what is missing, then writes docs/api/*.api.txt and the lists of the packed files. Tests fail when these files
// differ from the built packages.
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, PUBLISHED_PROJECTS);
} catch (error) {
  fail(error);
}

const folder = join(ROOT, 'docs/api');
mkdirSync(folder, { recursive: true });
for (const name of IMPORTED) {
  writeFileSync(join(folder, `${name}.api.txt`), publicSurface(ROOT, name));
  process.stdout.write(`docs/api/${name}.api.txt\n`);
}

const contents = join(ROOT, 'scripts/packing/contents');
mkdirSync(contents, { recursive: true });
for (const name of PUBLISHED) writeFileSync(join(contents, `${name}.txt`), contentsText(name, listedFiles(name)));
