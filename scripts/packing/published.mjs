import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../set-up/workspace.mjs';

/**
 * The fields of a manifest that the checks read.
 *
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {boolean} [private]
 * @property {readonly string[]} files
 * @property {Readonly<Record<string, string>>} [bin]
 * @property {Readonly<Record<string, unknown>>} [exports]
 * @property {Readonly<Record<string, string>>} [dependencies]
 * @property {Readonly<Record<string, string>>} [peerDependencies]
 * @property {Readonly<Record<string, string>>} [optionalDependencies]
 */

/** Folders of the published packages, below `packages`. Each comes after those that it depends on. */
export const PUBLISHED = ['protocol', 'client', 'sdk', 'engine', 'conformance', 'rivulet', 'create-rivulet'];

/** Projects of the compiler that the published packages consist of. */
export const PUBLISHED_PROJECTS = ['protocol', 'client', 'sdk', 'engine', 'conformance', 'create-rivulet'].map(
  (name) => `packages/${name}`,
);

/** Returns the folder of a published package. @param {string} name */
export const folderOf = (name) => join(ROOT, 'packages', name);

/** Returns the manifest of a published package. @param {string} name @returns {Manifest} */
export const manifestOf = (name) => JSON.parse(readFileSync(join(folderOf(name), 'package.json'), 'utf8'));
