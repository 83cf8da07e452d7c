import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { output } from '../packing/output.mjs';
import { packInto } from '../packing/pack.mjs';

/**
 * The packed packages: a folder for all trials, and the tarball of each package by its name.
 *
 * @typedef {{ folder: string, tarballs: ReadonlyMap<string, string> }} Packed
 */

/**
 * A project to make. `ours` are packages of this repository, `dependencies` those of others, `files` its sources by their paths.
 *
 * @typedef {{ ours: readonly string[], dependencies?: Record<string, string>, files?: Record<string, string>, type?: string }} Project
 */

/**
 * Packs the published packages.
 *
 * @returns {Promise<Packed>}
 */
export async function packAll() {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-try-'));
  const packages = await packInto(folder);
  return { folder, tarballs: new Map(packages.map(({ name, tarball }) => [name, tarball])) };
}

/**
 * Makes a project with these files and installs its dependencies from the registry. The packages of this repository come from tarballs.
 *
 * @param {Packed} packed
 * @param {string} name
 * @param {Project} project
 * @returns {Promise<string>} the folder of the project
 */
export async function install(packed, name, { ours, dependencies = {}, files = {}, type = 'module' }) {
  const folder = join(packed.folder, name);
  mkdirSync(folder);
  const local = Object.fromEntries(ours.map((each) => [each, `file:${packed.tarballs.get(each)}`]));
  const manifest = { name, private: true, type, dependencies: { ...local, ...dependencies } };
  write(folder, { 'package.json': JSON.stringify(manifest), ...files });
  await output(folder, 'npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', '--loglevel=error']);
  return folder;
}

/** @param {string} folder @param {Readonly<Record<string, string>>} files */
export function write(folder, files) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/**
 * Returns the entries of installed packages.
 *
 * @param {string} folder
 * @param {readonly string[]} names
 * @returns {{ specifier: string, isRequired: boolean }[]} `isRequired`: the entry has types for `require`
 */
export function entriesOf(folder, names) {
  return names.flatMap((name) => {
    const { exports } = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8'));
    // The others are the command, which an import would run, and the schema for editors.
    const entries = Object.entries(exports ?? {}).filter(([, target]) => typeof target === 'object');
    return entries.map(([path, target]) => ({ specifier: name + path.slice(1), isRequired: 'require' in target }));
  });
}

/** Returns the version of an installed package. @param {string} folder @param {string} name @returns {string} */
export function versionOf(folder, name) {
  return JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
}
