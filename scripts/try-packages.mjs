import './set-up/node-version.mjs';
import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT, say } from './set-up/workspace.mjs';
import { startBackend } from './try-packages/backend.mjs';
import { openBrowser } from './try-packages/browser.mjs';
import { packAll } from './try-packages/packages.mjs';
import { TRIALS } from './try-packages/trials/all.mjs';

// Runs `npm run try-packages [-- --only NAME,NAME --keep]`: packs the published packages, installs them into new folders below the
// temporary directory, and uses them there as other projects do. It needs a registry and chromium. `npm test` does not run it.

const { values } = parseArgs({ options: { only: { type: 'string' }, keep: { type: 'boolean', default: false } } });
const chosen = values.only === undefined ? TRIALS : TRIALS.filter(({ name }) => values.only?.split(',').includes(name));
if (chosen.length === 0) {
  say(`--only takes names of ${TRIALS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, ALL_PROJECTS);
} catch (error) {
  fail(error);
}

const packed = await packAll();
let failures = 0;
let backend;
let browser;
try {
  [backend, browser] = [await startBackend(packed), await openBrowser()];
  for (const { name, run } of chosen) {
    const begun = performance.now();
    try {
      const lines = await run({ packed, backend, browser });
      console.log(`${name}: works (${Math.round((performance.now() - begun) / 1_000)} s)`);
      for (const line of lines) console.log(`  ${line}`);
    } catch (error) {
      failures++;
      console.log(`${name}: FAILED\n${error instanceof Error ? error.stack : String(error)}`);
    }
  }
} finally {
  await browser?.close();
  await backend?.stop();
  if (values.keep) console.log(`kept: ${packed.folder}`);
  else await rm(packed.folder, { recursive: true, force: true, maxRetries: 5 });
}
console.log(failures === 0 ? `${chosen.length} trials, all work` : `${failures} of ${chosen.length} trials failed`);
process.exitCode = failures === 0 ? 0 : 1;
