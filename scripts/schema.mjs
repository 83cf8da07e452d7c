import './set-up/node-version.mjs';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, fail, ROOT, START_PROJECTS } from './set-up/workspace.mjs';

// Runs `npm run schema`: builds what is missing, then writes the JSON schema of the configuration. A test fails when the file differs from
// the tables in packages/engine/src/config/keys.
const FILE = 'packages/engine/config.schema.json';
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, START_PROJECTS);
} catch (error) {
  fail(error);
}

const { configSchema } = await import('../packages/engine/dist/config/json-schema/config-schema.js');
writeFileSync(join(ROOT, FILE), `${JSON.stringify(configSchema(), null, 2)}\n`);
execFileSync(process.execPath, [join(ROOT, 'node_modules/@biomejs/biome/bin/biome'), 'format', '--write', FILE], { cwd: ROOT });
process.stdout.write(`${FILE}\n`);
