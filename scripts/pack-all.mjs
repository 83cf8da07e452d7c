import './set-up/node-version.mjs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { packInto } from './packing/pack.mjs';
import { PUBLISHED_PROJECTS } from './packing/published.mjs';
import { ensureBuilt, ensureInstalled, fail, ROOT, say } from './set-up/workspace.mjs';

// Runs `npm run pack:all [-- --to FOLDER]`: builds what is missing, then packs all published packages into one folder. A project installs
// them with `npm install FOLDER/*.tgz`.

const { values } = parseArgs({ options: { to: { type: 'string', default: join(ROOT, '.rivulet/packages') } } });
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, PUBLISHED_PROJECTS);
} catch (error) {
  fail(error);
}

// npm runs a script in the root of the repository, and names the folder of its caller here.
const folder = resolve(process.env['INIT_CWD'] ?? process.cwd(), values.to);
const kilobytes = (/** @type {number} */ bytes) => `${Math.round(bytes / 1_000)} kB`;
const rows = (await packInto(folder)).map(({ name, version, tarball, files, size, unpackedSize }) => {
  return [name, version, `${files.length}`, kilobytes(size), kilobytes(unpackedSize), basename(tarball)];
});
const table = [['package', 'version', 'files', 'packed', 'unpacked', 'tarball'], ...rows];
const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
for (const row of table) process.stdout.write(`${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd() + '\n');
say(`npm install ${join(folder, '*.tgz')}`);
