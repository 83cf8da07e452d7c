import { existsSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';

// Which files of the repository are pages of the site, and at which path. Paths have `/` and are relative to the root of the repository.

/** Pages outside of docs/, each with its place on the site. @type {Readonly<Record<string, string>>} */
const OTHER_PAGES = {
  'ARCHITECTURE.md': 'architecture.md',
  'CHANGELOG.md': 'changelog.md',
  'CODE_OF_CONDUCT.md': 'code-of-conduct.md',
  'COMPATIBILITY.md': 'compatibility.md',
  'CONTRIBUTING.md': 'contributing.md',
  'PROTOCOL.md': 'protocol.md',
  'RELIABILITY.md': 'reliability.md',
  'SECURITY.md': 'security.md',
  'bench/README.md': 'bench/index.md',
  'examples/README.md': 'examples/index.md',
  'ops/monitoring/README.md': 'guides/alerts-and-dashboard.md',
  'packages/create-rivulet/README.md': 'create-rivulet.md',
};

/** Folders whose documents of this name are pages. */
const FOLDERS = [
  { folder: 'examples', name: 'README.md', to: 'examples' },
  { folder: 'bench/results', name: undefined, to: 'bench' },
];

/**
 * Returns the pages of the site: the path of each source, and the path of its page below the source folder of the site.
 *
 * @param {string} root
 * @returns {Map<string, string>}
 */
export function pagesOf(root) {
  /** @type {Map<string, string>} */
  const pages = new Map();
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).toSorted();
  for (const file of docs.map((name) => name.replaceAll('\\', '/'))) if (file.endsWith('.md')) pages.set(`docs/${file}`, file);
  for (const [source, page] of Object.entries(OTHER_PAGES)) if (existsSync(join(root, source))) pages.set(source, page);
  for (const { folder, name, to } of FOLDERS) {
    for (const entry of readdirSync(join(root, folder)).toSorted()) {
      if (name === undefined && entry.endsWith('.md')) pages.set(posix.join(folder, entry), posix.join(to, entry));
      if (name !== undefined && existsSync(join(root, folder, entry, name)))
        pages.set(posix.join(folder, entry, name), posix.join(to, `${entry}.md`));
    }
  }
  return pages;
}

/**
 * Returns the address of a page without its extension, as links of the site write it.
 *
 * @param {string} page
 */
export function addressOf(page) {
  return `/${page.replace(/(^|\/)index\.md$/, '$1').replace(/\.md$/, '')}`;
}
