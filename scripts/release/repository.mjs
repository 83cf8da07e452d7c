import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folderOf, PUBLISHED } from '../packing/published.mjs';
import { ROOT, SetupError } from '../set-up/workspace.mjs';

/** Files that name the repository by its URL. */
const FILES = [
  join(ROOT, 'package.json'),
  ...PUBLISHED.flatMap((name) => ['package.json', 'README.md'].map((file) => join(folderOf(name), file))),
];

/** Returns the URL of the repository for browsers. The manifest of the root is the one place that decides it. @returns {string} */
export function repositoryUrl() {
  const { repository } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
}

/** Replaces the URL of the repository in all manifests and READMEs of packages. @param {string} to */
export function setRepositoryUrl(to) {
  if (!/^https:\/\/[^/\s]+(?:\/[\w.-]+)+$/.test(to) || to.endsWith('.git'))
    throw new SetupError(`give the URL for browsers, such as https://github.com/OWNER/rivulet, not "${to}"`);
  const from = repositoryUrl();
  for (const file of FILES) writeFileSync(file, readFileSync(file, 'utf8').replaceAll(from, to));
}
