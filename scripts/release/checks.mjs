/** @import { Changeset } from './changelog.mjs' */
/** @import { Manifest } from '../packing/published.mjs' */

/**
 * The parts of a release. `tag` is the git tag that started it, if any.
 *
 * @typedef {object} Release
 * @property {string} repository  URL for browsers
 * @property {readonly Manifest[]} manifests
 * @property {readonly Changeset[]} changesets
 * @property {string} changelog
 * @property {string} [tag]
 */

/**
 * Returns why a release cannot be published, one line for each reason with its remedy.
 *
 * @param {Release} release
 * @returns {string[]}
 */
export function releaseProblems({ repository, manifests, changesets, changelog, tag }) {
  const problems = [];
  const version = manifests[0]?.version ?? '';
  if (new URL(repository).hostname.endsWith('.example'))
    problems.push(`${repository} is a placeholder: run npm run release -- repository URL with the public one`);
  for (const manifest of manifests) {
    if (manifest.private === true) problems.push(`${manifest.name} is private`);
    if (manifest.version !== version) problems.push(`${manifest.name} has version ${manifest.version}, not ${version}`);
  }
  if (changesets.length > 0) problems.push(`${changesets.length} changesets are not released: run npm run release -- version`);
  if (!changelog.includes(`\n## ${version} (`)) problems.push(`CHANGELOG.md has no section for ${version}: run npm run release -- version`);
  if (tag !== undefined && tag !== `v${version}`)
    problems.push(`the tag is ${tag}, and the packages have version ${version}: tag v${version}`);
  return problems;
}
