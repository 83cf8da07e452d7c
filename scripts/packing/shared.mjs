import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../set-up/workspace.mjs';
import { listedFiles } from './contents.mjs';
import { packInto } from './pack.mjs';
import { folderOf, PUBLISHED } from './published.mjs';

/** @import { Tarball } from './pack.mjs' */

const SHARED = join(ROOT, 'node_modules/.rivulet/packed');
const INDEX = 'tarballs.json';
const DAY = 86_400_000;

/**
 * Returns the tarballs of all packages as they are built now. The first caller packs; the others, also in other processes, find the result.
 *
 * @returns {Promise<readonly Tarball[]>}
 */
export async function sharedTarballs() {
  const folder = join(SHARED, fingerprint());
  if (!existsSync(folder)) {
    mkdirSync(SHARED, { recursive: true });
    removeOld();
    const made = mkdtempSync(join(SHARED, 'making-'));
    writeFileSync(join(made, INDEX), JSON.stringify(await packInto(made)));
    try {
      renameSync(made, folder);
    } catch (error) {
      // Another process was faster.
      rmSync(made, { recursive: true, force: true });
      if (!existsSync(folder)) throw error;
    }
  }
  /** @type {Tarball[]} */
  const tarballs = JSON.parse(readFileSync(join(folder, INDEX), 'utf8'));
  return tarballs.map((each) => ({ ...each, tarball: join(folder, each.tarball.slice(each.tarball.lastIndexOf('/') + 1)) }));
}

/** Returns a hash of the names, sizes and times of all files that the packages list. */
function fingerprint() {
  const hash = createHash('sha256');
  for (const name of PUBLISHED) {
    for (const path of listedFiles(name)) {
      const { size, mtimeMs } = statSync(join(folderOf(name), path));
      hash.update(`${name}/${path} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex').slice(0, 32);
}

/** Deletes tarballs of yesterday. A run of today may use the others. */
function removeOld() {
  for (const name of readdirSync(SHARED)) {
    const path = join(SHARED, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found !== undefined && Date.now() - found.mtimeMs > DAY) rmSync(path, { recursive: true, force: true });
  }
}
