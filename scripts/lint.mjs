import './set-up/node-version.mjs';
import { PUBLISHED_PROJECTS } from './packing/published.mjs';
import { ensureBuilt, ensureInstalled, fail, ROOT } from './set-up/workspace.mjs';
import { checkLint } from './testing/checks.mjs';

// Runs `npm run lint`: installs and builds what is missing, then runs the lint step of `npm test`.
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, PUBLISHED_PROJECTS);
} catch (error) {
  fail(error);
}

process.exitCode = (await checkLint()) ? 0 : 1;
