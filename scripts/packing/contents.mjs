import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { staleOutputs } from '../set-up/stale-outputs.mjs';
import { ROOT } from '../set-up/workspace.mjs';
import { folderOf, manifestOf } from './published.mjs';

/** Files that npm packs in any case. */
const ALWAYS = ['package.json', 'README.md', 'LICENSE'];
/**
 * Ends of the names of files that come in large numbers, one or four for each source, and of files with a hash in their names. The others
 * have a line each.
 */
const MODULE = /^(?:(?:src|dist)\/.*?((?:\.d)?\.tsx?|\.jsx?)|inspector\/assets\/[^.]*(\.\w+))(\.map|\.br|\.gz)?$/;

/**
 * Returns the text of `contents/NAME.txt`: what the tarball of a package has. Modules have one line for each folder, because every change
 * adds some. The tests compare them with the sources one by one.
 *
 * @param {string} name folder of the package
 * @param {Iterable<string>} files paths in the package
 */
export function contentsText(name, files) {
  /** @type {Map<string, Set<string>>} */
  const folders = new Map();
  const lines = [];
  for (const path of files) {
    const [, module, asset, map = ''] = MODULE.exec(path) ?? [];
    const kind = module ?? asset;
    if (kind === undefined) {
      lines.push(path);
      continue;
    }
    const folder = posix.dirname(path);
    folders.set(folder, (folders.get(folder) ?? new Set()).add(kind + map));
  }
  for (const [folder, kinds] of folders)
    lines.push(
      `${folder}/ ${[...kinds]
        .sort()
        .map((kind) => `*${kind}`)
        .join(' ')}`,
    );
  const head = `The tarball of ${manifestOf(name).name}. \`npm run api\` writes this file.`;
  return `${[head, '', ...lines.sort()].join('\n')}\n`;
}

/**
 * Returns the files of a package that its manifest lists, from the disk. It leaves out outputs of earlier builds, which `npm run build`
 * and `npm run pack:all` delete.
 *
 * @param {string} name folder of the package
 * @returns {string[]}
 */
export function listedFiles(name) {
  const folder = folderOf(name);
  const stale = new Set(staleOutputs(ROOT, `packages/${name}`).map((path) => `dist/${path}`));
  const { files } = manifestOf(name);
  const listed = [...ALWAYS, ...files.filter((path) => !path.startsWith('!'))].flatMap((path) => filesBelow(folder, path));
  return listed.filter((path) => !stale.has(path) && !path.endsWith('.tsbuildinfo'));
}

/** @param {string} folder @param {string} path @returns {string[]} */
function filesBelow(folder, path) {
  const full = join(folder, path);
  if (!existsSync(full)) return [];
  if (!statSync(full).isDirectory()) return [path];
  return readdirSync(full, { withFileTypes: true }).flatMap(({ name }) => filesBelow(folder, posix.join(path, name)));
}
