import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { NOTICES, noticesOf } from './third-party-notices.mjs';

/**
 * Programs of the engine below its `dist`, by their names in the bundle. The engine starts the second one as a child process. Programs that
 * embed the engine on Bun load `index` from the bundle, because Bun replaces the package `ws`, but not a copy of it.
 */
const PROGRAMS = { rivulet: 'cli/main.js', 'preflight-main': 'store/lmdb/checking/preflight-main.js', index: 'index.js' };
/** Packages that stay outside: LMDB has native code, and only engines with a Redis load its client. */
const OUTSIDE = /^(?:lmdb|@redis\/client)(?:\/|$)/;

/**
 * Bundles the programs of the built engine, unless nothing has changed since the last bundle. Node needs most of a start to find and
 * compile some 340 modules of the engine and as many of its packages. The bundle has a few files, and starts in less than half the time.
 *
 * @param {string} root
 */
export async function ensureBundled(root) {
  const dist = join(root, 'packages/engine/dist');
  const target = join(dist, 'bundle');
  const ours = ['protocol', 'client', 'sdk'].map((name) => join(root, 'packages', name, 'dist'));
  const inputs = [dist, ...ours].flatMap(scripts);
  const newest = Math.max(...[...inputs, join(root, 'package-lock.json'), import.meta.filename].map((file) => statSync(file).mtimeMs));
  const bundled = statSync(join(target, NOTICES), { throwIfNoEntry: false });
  if (bundled !== undefined && bundled.mtimeMs > newest) return;
  const made = join(dist, `bundle-${process.pid}`);
  const input = Object.fromEntries(Object.entries(PROGRAMS).map(([name, file]) => [name, join(dist, file)]));
  const build = await rolldown({ input, external: OUTSIDE, platform: 'node' });
  const { output } = await build.write({ dir: made, format: 'esm' });
  await build.close();
  const modules = output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []));
  writeFileSync(join(made, NOTICES), noticesOf(modules));
  rmSync(target, { recursive: true, force: true });
  renameSync(made, target);
}

/**
 * Returns the modules below a folder of compiled code, without those of the bundle.
 *
 * @param {string} folder
 * @returns {string[]}
 */
function scripts(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js') && !name.startsWith('bundle'))
    .map((name) => join(folder, name));
}
