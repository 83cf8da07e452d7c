import './set-up/node-version.mjs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT } from './set-up/workspace.mjs';

// Runs `npm run bench [-- arguments]`: installs and builds what is missing, then runs the benchmarks in this process.
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, ALL_PROJECTS);
} catch (error) {
  fail(error);
}

const main = join(ROOT, 'bench/dist/main.js');
process.argv = [process.execPath, main, ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
