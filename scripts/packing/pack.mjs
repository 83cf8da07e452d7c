import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { deleteStaleOutputs } from '../set-up/stale-outputs.mjs';
import { ROOT } from '../set-up/workspace.mjs';
import { output } from './output.mjs';
import { PUBLISHED, PUBLISHED_PROJECTS } from './published.mjs';

/**
 * One packed package. `files` are paths in the package, `size` and `unpackedSize` are bytes.
 *
 * @typedef {{ name: string, version: string, tarball: string, files: readonly string[], size: number, unpackedSize: number }} Tarball
 */

/** Tarballs that `npm pack` names so: `rivulet-client-0.1.0.tgz`. */
const OURS = /^(?:create-)?rivulet-.*\.tgz$/;

/**
 * Packs the built packages into a folder and returns their tarballs. It deletes older tarballs of these packages there, so that
 * `npm install ./*.tgz` finds one of each. The same files make the same bytes, because npm gives every file one fixed time.
 *
 * @param {string} folder
 * @returns {Promise<readonly Tarball[]>}
 */
export async function packInto(folder) {
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) if (OURS.test(file)) rmSync(join(folder, file));
  // The compiler leaves the outputs of deleted sources, and npm would pack them.
  for (const project of PUBLISHED_PROJECTS) deleteStaleOutputs(ROOT, project);
  const workspaces = PUBLISHED.map((name) => `--workspace=packages/${name}`);
  const text = await output(ROOT, 'npm', ['pack', '--json', '--ignore-scripts', `--pack-destination=${folder}`, ...workspaces]);
  /** @type {{ name: string, version: string, filename: string, size: number, unpackedSize: number, files: { path: string }[] }[]} */
  const packages = JSON.parse(text);
  return packages.map(({ name, version, filename, size, unpackedSize, files }) => {
    return { name, version, tarball: join(folder, filename), files: files.map(({ path }) => path), size, unpackedSize };
  });
}
