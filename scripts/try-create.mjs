import './set-up/node-version.mjs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packInto } from './packing/pack.mjs';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT, say } from './set-up/workspace.mjs';
import { tryTemplate } from './try-create/template.mjs';
import { openBrowser } from './try-packages/browser.mjs';

// Runs `npm run try-create [-- --only NAME,NAME]`: packs the packages, and with create-rivulet makes a project of each template below the
// temporary directory. Each project is installed, checked, tested and built. Then it runs, and chromium shows a change in its page.
// It needs a registry and chromium. `npm test` does not run it.

const TEMPLATES = ['react', 'page', 'worker'];
const { values } = parseArgs({ options: { only: { type: 'string' } } });
const chosen = values.only?.split(',') ?? TEMPLATES;
if (!chosen.every((name) => TEMPLATES.includes(name))) {
  say(`--only takes names of ${TEMPLATES.join(', ')}`);
  process.exit(2);
}
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, ALL_PROJECTS);
} catch (error) {
  fail(error);
}

const folder = mkdtempSync(join(tmpdir(), 'rivulet-create-'));
let failures = 0;
let browser;
try {
  await packInto(join(folder, 'packages'));
  browser = await openBrowser();
  for (const name of chosen) {
    try {
      for (const line of await tryTemplate({ folder, name, browser })) console.log(line);
    } catch (error) {
      failures++;
      console.log(`${name}: FAILED\n${error instanceof Error ? error.stack : String(error)}`);
    }
  }
} finally {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
console.log(failures === 0 ? `${chosen.length} templates, all work` : `${failures} of ${chosen.length} templates failed`);
process.exitCode = failures === 0 ? 0 : 1;
