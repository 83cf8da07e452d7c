import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param {string} root @param {string} project */
const stampFile = (root, project) => join(root, 'node_modules', '.rivulet', `build-${project.replaceAll('/', '-')}`);

/**
 * Returns a hash of names, sizes and times of all inputs of a project. The compiler compares the contents itself, so a touched file costs
 * one run of `tsc -b` that writes nothing.
 *
 * @param {string} root
 * @param {string} project folder of a TypeScript project, such as `packages/engine`
 * @returns {string}
 */
export function sourceFingerprint(root, project) {
  const hash = createHash('sha256');
  const source = join(root, project, 'src');
  const files = existsSync(source) ? readdirSync(source, { recursive: true, encoding: 'utf8' }).map((name) => join(source, name)) : [];
  for (const file of [join(root, 'tsconfig.base.json'), join(root, project, 'tsconfig.json'), ...files.sort()]) {
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined || stat.isDirectory()) continue;
    hash.update(`${file} ${stat.size} ${stat.mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/**
 * @param {string} root
 * @param {string} project
 * @param {string} fingerprint
 * @returns {boolean}
 */
export function isBuilt(root, project, fingerprint) {
  // The record of the compiler is in dist, so a removed dist leads to a full build.
  if (!existsSync(join(root, project, 'dist', 'tsconfig.tsbuildinfo'))) return false;
  const file = stampFile(root, project);
  return existsSync(file) && readFileSync(file, 'utf8') === fingerprint;
}

/**
 * @param {string} root
 * @param {string} project
 * @param {string} fingerprint taken before the build, so that a change made during it is built next time
 */
export function markBuilt(root, project, fingerprint) {
  mkdirSync(join(root, 'node_modules', '.rivulet'), { recursive: true });
  writeFileSync(stampFile(root, project), fingerprint);
}
