import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A changeset: a sentence about a change, and the packages that it concerns.
 *
 * @typedef {{ summary: string, packages: readonly string[] }} Changeset
 */

const UNRELEASED = '## Unreleased';
const WIDTH = 138;

/**
 * Reads the changesets of a folder, in the order of their file names.
 *
 * @param {string} folder
 * @returns {Changeset[]}
 */
export function readChangesets(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.md') && name !== 'README.md');
  return files.sort().map((name) => {
    const [, head = '', summary = ''] = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(readFileSync(join(folder, name), 'utf8')) ?? [];
    const packages = [...head.matchAll(/^['"]?([^'":]+)['"]?:/gm)].map(([, each = '']) => each);
    return { summary: summary.trim().replaceAll(/\s+/g, ' '), packages };
  });
}

/**
 * Returns the changelog after a release: the lines of "Unreleased" stand below the new version, after a list that the changesets give.
 * "Unreleased" is empty then.
 *
 * @param {string} text @param {string} version @param {string} date
 * @param {readonly Changeset[]} changesets
 * @returns {string}
 */
export function releasedChangelog(text, version, date, changesets) {
  const begin = text.indexOf(`${UNRELEASED}\n`);
  if (begin < 0) throw new Error(`CHANGELOG.md has no section "${UNRELEASED}"`);
  const after = text.slice(begin + UNRELEASED.length);
  const [section = '', ...older] = after.split(/^(?=## )/m);
  // The paragraph before the first list is about the time before a release.
  const details = section.slice(Math.max(section.search(/^### /m), 0));
  const short = changesets.map(({ summary, packages }) => wrap(`- ${summary} (${packages.map((each) => `\`${each}\``).join(', ')})`));
  const parts = [
    `${UNRELEASED}\n`,
    `## ${version} (${date})\n`,
    `${short.join('\n')}\n`,
    details.trim() === '' ? [] : `${details.trim()}\n`,
  ];
  return `${text.slice(0, begin)}${parts.flat().join('\n')}${older.length === 0 ? '' : `\n${older.join('')}`}`;
}

/**
 * Returns what the changelog says about a version, without its headline.
 *
 * @param {string} text @param {string} version
 */
export function sectionOf(text, version) {
  const section = text.split(/^(?=## )/m).find((each) => each.startsWith(`## ${version} (`)) ?? '';
  return section.slice(section.indexOf('\n') + 1).trim();
}

/** Wraps the text of an entry. @param {string} text */
function wrap(text) {
  let line = '';
  const lines = [];
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = ` ${word === '' ? '' : ` ${word}`}`;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}
