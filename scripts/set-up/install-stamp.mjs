import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ version?: string, optional?: boolean, devOptional?: boolean }} LockedPackage */

/** Properties of the machine that native modules depend on, besides their version. */
const ENVIRONMENT = `${process.platform}-${process.arch} node-abi-${process.versions.modules}`;

/** @param {string} root */
const stampFile = (root) => join(root, 'node_modules', '.rivulet', 'install');

/** @param {string} root */
const lockFile = (root) => join(root, 'package-lock.json');

/** @param {string} root */
function currentStamp(root) {
  const lock = createHash('sha256').update(readFileSync(lockFile(root)));
  return `${ENVIRONMENT}\n${lock.digest('hex')}\n`;
}

/**
 * @param {string} root
 * @returns {boolean} whether node_modules was made from this lock file, for this Node and this platform
 */
export function isInstalled(root) {
  return readText(stampFile(root)) === currentStamp(root);
}

/** @param {string} root */
export function markInstalled(root) {
  mkdirSync(join(root, 'node_modules', '.rivulet'), { recursive: true });
  writeFileSync(stampFile(root), currentStamp(root));
}

/**
 * Returns whether an installation by hand (`npm ci`, `npm install x`) can be used. Such an installation has no stamp or an old one. The
 * record of npm shows whether it matches the lock file. An installation for another Node or platform is not used.
 *
 * @param {string} root
 * @returns {boolean}
 */
export function canAdopt(root) {
  const stamp = readText(stampFile(root));
  if (stamp !== undefined && !stamp.startsWith(`${ENVIRONMENT}\n`)) return false;
  const installed = readPackages(join(root, 'node_modules', '.package-lock.json'));
  const locked = readPackages(lockFile(root));
  if (installed === undefined || locked === undefined) return false;
  const others = Object.entries(installed).some(([path, { version }]) => locked[path]?.version !== version);
  const missing = Object.entries(locked).some(
    ([path, { optional, devOptional }]) => path.includes('node_modules/') && !optional && !devOptional && installed[path] === undefined,
  );
  return !others && !missing;
}

/**
 * @param {string} file
 * @returns {Record<string, LockedPackage> | undefined}
 */
function readPackages(file) {
  const text = readText(file);
  return text === undefined ? undefined : JSON.parse(text).packages;
}

/**
 * @param {string} file
 * @returns {string | undefined}
 */
function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
