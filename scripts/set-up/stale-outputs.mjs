import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** An output of the compiler below `dist`, with the name of its source. The bundle of the engine has sources of its own. */
const OUTPUT = /^(?!bundle)(.+?)\.(?:d\.ts|js)(?:\.map)?$/;

/**
 * Returns the outputs of a project whose sources were deleted, below its `dist`. The compiler keeps them for ever, and `npm pack` would
 * take them.
 *
 * @param {string} root
 * @param {string} project
 * @returns {string[]}
 */
export function staleOutputs(root, project) {
  const [dist, source] = ['dist', 'src'].map((name) => join(root, project, name));
  if (dist === undefined || source === undefined || !existsSync(dist)) return [];
  const isStale = (/** @type {string} */ path) => {
    const name = OUTPUT.exec(path)?.[1];
    return name !== undefined && !['.ts', '.tsx'].some((extension) => existsSync(join(source, name + extension)));
  };
  return readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter(isStale);
}

/** Deletes the outputs of a project whose sources were deleted. @param {string} root @param {string} project */
export function deleteStaleOutputs(root, project) {
  for (const path of staleOutputs(root, project)) rmSync(join(root, project, 'dist', path), { force: true });
}
