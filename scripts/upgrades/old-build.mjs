import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from '../set-up/child-process.mjs';
import { ROOT, SetupError, say } from '../set-up/workspace.mjs';

/** Packages that an upgrade needs. Everything else of them comes from the registry. */
const PACKAGES = ['protocol', 'client', 'sdk', 'engine'];

/**
 * The packages of a commit, installed from their tarballs as npm does. `cli`: the main file of the command line. `modules`: a folder whose
 * programs import these packages. `hasCalls`: pages can call functions, which the first builds lack.
 *
 * @typedef {{ commit: string, cli: string, modules: string, hasCalls: boolean }} Build
 */

/**
 * Returns the full id of a commit of this clone; `undefined` if the clone does not have it, for instance because it is shallow.
 *
 * @param {string} name @param {string} [root]
 */
export function commitOf(name, root = ROOT) {
  const { status, stdout } = spawnSync('git', ['rev-parse', '--verify', '--quiet', `${name}^{commit}`], { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Returns the newest commit before this one that changed a package; `undefined` without a history. @param {string} [root] */
export function commitBefore(root = ROOT) {
  const { status, stdout } = spawnSync('git', ['rev-list', '-1', 'HEAD^', '--', 'packages'], { cwd: root, encoding: 'utf8' });
  return status === 0 && stdout.trim() !== '' ? stdout.trim() : undefined;
}

/** Returns the packages of this work tree as they are built. @returns {Build} */
export function currentBuild() {
  // Node looks for packages in the folders above a program, so this one finds those of the workspace.
  const modules = join(ROOT, '.rivulet', 'upgrades', 'current');
  mkdirSync(modules, { recursive: true });
  return { commit: 'current', cli: join(ROOT, 'packages/engine/bin/rivulet.js'), modules, hasCalls: true };
}

/**
 * Builds the packages of a commit, packs them, and installs the tarballs below `.rivulet/upgrades`, once.
 *
 * @param {string} commit
 * @returns {Promise<Build>}
 */
export async function buildOf(commit) {
  const folder = join(ROOT, '.rivulet', 'upgrades', commit.slice(0, 12));
  if (existsSync(folder)) return installedBuild(commit, folder);
  say(`building the packages of ${commit.slice(0, 12)}, once`);
  const tree = mkdtempSync(join(tmpdir(), 'rivulet-upgrade-'));
  try {
    execFileSync('sh', ['-c', 'git archive "$0" | tar -x -C "$1"', commit, tree], { cwd: ROOT });
    linkDependencies(tree);
    await inTree(tree, ['--input-type=module', '--eval', BUILD]);
    // It gets its name when it is complete, so that a build that was cut off is not used.
    const unfinished = `${folder}.${process.pid}`;
    rmSync(unfinished, { recursive: true, force: true });
    installPacked(tree, unfinished);
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  } finally {
    rmSync(tree, { recursive: true, force: true, maxRetries: 3 });
  }
  return installedBuild(commit, folder);
}

/** @param {string} commit @param {string} folder @returns {Build} */
function installedBuild(commit, folder) {
  const packages = join(folder, 'node_modules/@rivulet');
  const hasCalls = existsSync(join(packages, 'client/dist/calls'));
  return { commit, cli: join(packages, 'engine/bin/rivulet.js'), modules: folder, hasCalls };
}

/** The set-up of the commit itself builds it, so that a change of the build needs no change here. */
const BUILD = `const { ensureBuilt, ROOT, START_PROJECTS } = await import('./scripts/set-up/workspace.mjs');
await ensureBuilt(ROOT, START_PROJECTS);`;

/**
 * Gives a tree the installed dependencies of this clone, but its own packages of this repository. If it needs other versions, npm installs
 * them.
 *
 * @param {string} tree
 */
function linkDependencies(tree) {
  const installed = join(ROOT, 'node_modules');
  if (needsOthers(tree)) {
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: tree, stdio: 'inherit' });
    return;
  }
  const modules = join(tree, 'node_modules');
  mkdirSync(join(modules, '@rivulet'), { recursive: true });
  for (const name of readdirSync(installed))
    if (name !== '@rivulet' && !name.startsWith('.')) symlinkSync(join(installed, name), join(modules, name));
  for (const name of readdirSync(join(tree, 'packages'))) symlinkSync(join(tree, 'packages', name), join(modules, '@rivulet', name));
}

/** @param {string} tree */
function needsOthers(tree) {
  const wanted = PACKAGES.flatMap((name) => Object.entries(manifestOf(join(tree, 'packages', name)).dependencies ?? {}));
  return wanted.some(([name, version]) => {
    if (name.startsWith('@rivulet/')) return false;
    const folder = join(ROOT, 'node_modules', name);
    return !existsSync(folder) || manifestOf(folder).version !== version;
  });
}

/** @param {string} tree @param {string} folder */
function installPacked(tree, folder) {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules, { recursive: true });
  const workspaces = PACKAGES.map((name) => `--workspace=packages/${name}`);
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', `--pack-destination=${folder}`, ...workspaces], {
    cwd: tree,
    stdio: 'ignore',
  });
  for (const name of PACKAGES) {
    const installed = join(modules, '@rivulet', name);
    mkdirSync(installed, { recursive: true });
    const tarball = readdirSync(folder).find((file) => file.startsWith(`rivulet-${name}-`) && file.endsWith('.tgz')) ?? '';
    execFileSync('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1']);
    for (const dependency of Object.keys(manifestOf(installed).dependencies ?? {})) {
      const place = join(modules, dependency);
      if (dependency.startsWith('@rivulet/') || existsSync(place)) continue;
      mkdirSync(dirname(place), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', dependency), place);
    }
  }
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
}

/** @param {string} folder @returns {{ version: string, dependencies?: Record<string, string> }} */
function manifestOf(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

/** @param {string} tree @param {readonly string[]} args */
async function inTree(tree, args) {
  const code = await run(process.execPath, args, { cwd: tree });
  if (code !== 0) throw new SetupError('the build of the earlier commit failed; its messages are above');
}
