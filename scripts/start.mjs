import './set-up/node-version.mjs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, ensureInstalled, fail, ROOT, START_PROJECTS } from './set-up/workspace.mjs';

// Runs `npm start [-- --config FILE]`: installs and builds what is missing, then becomes the engine. The engine runs in this process, so
// signals, the exit code and stdout are those of the engine.
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, START_PROJECTS);
} catch (error) {
  fail(error);
}

const main = join(ROOT, 'packages/engine/dist/bundle/rivulet.js');
process.argv = [process.execPath, main, 'start', ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
