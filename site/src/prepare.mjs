import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { pagesOf } from './pages.mjs';

/** The folder from which VitePress builds, below the folder of the site. */
export const PAGES = '.pages';

const PICTURES = new Set(['.png', '.svg', '.gif', '.webp']);

/**
 * Copies the documents of the repository to their places on the site, and their pictures beside them. Leaves a file that has not changed,
 * so that a development server reloads changed pages only.
 *
 * @param {string} root
 */
export function preparePages(root) {
  const target = join(root, 'site', PAGES);
  const pages = pagesOf(root);
  const copies = [...pages].map(([source, page]) => ({ from: join(root, source), to: join(target, page) }));
  for (const folder of ['docs', 'examples']) {
    for (const picture of picturesBelow(join(root, folder)))
      copies.push({ from: picture, to: join(target, 'public/files', picture.slice(root.length)) });
  }
  copies.push({ from: join(root, 'site/src/icon.svg'), to: join(target, 'public/icon.svg') });
  for (const { from, to } of copies) copyChanged(from, to);
  const wanted = new Set(copies.map(({ to }) => to));
  for (const file of filesBelow(target)) if (!wanted.has(file) && !file.startsWith(join(target, 'api/'))) rmSync(file);
}

/** @param {string} from @param {string} to */
function copyChanged(from, to) {
  const old = statSync(to, { throwIfNoEntry: false });
  if (old !== undefined && old.mtimeMs >= statSync(from).mtimeMs) return;
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

/** @param {string} folder */
function picturesBelow(folder) {
  return filesBelow(folder).filter((file) => PICTURES.has(extname(file)) && !file.includes('node_modules'));
}

/** @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
