import './set-up/node-version.mjs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT } from './set-up/workspace.mjs';

// Runs `npm run http-readers [-- arguments]`: installs and builds what is missing, then runs the readers in this process.
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, ALL_PROJECTS);
} catch (error) {
  fail(error);
}

const { main } = await import(pathToFileURL(join(ROOT, 'packages/checker/dist/http-readers/main.js')).href);
process.exitCode = await main(process.argv.slice(2));
