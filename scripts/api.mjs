import './set-up/node-version.mjs';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PUBLISHED, publicSurface } from './public-surface/report.mjs';
import { ensureBuilt, ensureInstalled, fail, ROOT, START_PROJECTS } from './set-up/workspace.mjs';

// Runs `npm run api`: builds what is missing, then writes docs/api/*.api.txt. A test fails when these files differ from the built packages.
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, START_PROJECTS);
} catch (error) {
  fail(error);
}

const folder = join(ROOT, 'docs/api');
mkdirSync(folder, { recursive: true });
for (const name of PUBLISHED) {
  writeFileSync(join(folder, `${name}.api.txt`), publicSurface(ROOT, name));
  process.stdout.write(`docs/api/${name}.api.txt\n`);
}
