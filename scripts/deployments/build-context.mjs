import { readdirSync } from 'node:fs';

/**
 * Returns the files below a folder that a `.dockerignore` leaves in the build context. The last pattern that matches a path, or a folder
 * above it, decides.
 *
 * @param {string} root
 * @param {string} ignore text of the `.dockerignore`
 * @returns {string[]}
 */
export function contextFiles(root, ignore) {
  const lines = ignore.split('\n').map((line) => line.trim());
  const rules = lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) =>
      line.startsWith('!')
        ? { keeps: true, pattern: line.slice(1), regex: regexOf(line.slice(1)) }
        : { keeps: false, pattern: line, regex: regexOf(line) },
    );
  /** @type {string[]} */
  const files = [];
  walk('');
  return files.sort();

  /** @param {string} folder */
  function walk(folder) {
    for (const entry of readdirSync(`${root}/${folder}`, { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const keeps = isKept(path);
      if (!entry.isDirectory()) {
        if (keeps) files.push(path);
      } else if (keeps || rules.some(({ keeps: kept, pattern }) => kept && pattern.startsWith(`${path}/`))) walk(path);
    }
  }

  /** @param {string} path */
  function isKept(path) {
    const parts = path.split('/');
    const above = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    return rules.findLast(({ regex }) => above.some((each) => regex.test(each)))?.keeps ?? true;
  }
}

/** Returns the meaning of a pattern: `**\/` is any number of folders, and `*` any text within one name. @param {string} pattern */
function regexOf(pattern) {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/\*\*\/|\*/g, (wildcard) => (wildcard === '*' ? '[^/]*' : '(?:.*/)?'));
  return new RegExp(`^${source}$`);
}
