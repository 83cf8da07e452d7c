import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The file beside a bundle that has the licenses of its packages. */
export const NOTICES = 'THIRD-PARTY-NOTICES.txt';

/**
 * Returns the licenses of the packages whose code is in the bundle. They demand that every copy has them.
 *
 * @param {readonly string[]} modules
 * @returns {string}
 */
export function noticesOf(modules) {
  const folders = new Set(modules.flatMap((id) => /^.*[/\\]node_modules[/\\](?:@[^/\\]+[/\\])?[^/\\]+/.exec(id) ?? []));
  const notices = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    return `${name} ${version} (${license})\n\n${file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  return `The files in this folder contain code of these packages.\n\n${notices.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
