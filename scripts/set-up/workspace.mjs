import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBuilt, markBuilt, sourceFingerprint } from './build-stamp.mjs';
import { isCommandMissing, run } from './child-process.mjs';
import { canAdopt, isInstalled, markInstalled } from './install-stamp.mjs';
import { deleteStaleOutputs } from './stale-outputs.mjs';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Projects that `npm start` needs: the engine, and the SDK for a first worker. */
export const START_PROJECTS = ['packages/protocol', 'packages/engine', 'packages/client', 'packages/sdk'];
export const ALL_PROJECTS = [
  ...START_PROJECTS,
  'packages/conformance',
  'packages/testkit',
  'packages/checker',
  'packages/create-rivulet',
  'bench',
  'examples/chat-and-presence',
];

/** A failure with a message for the user. Any other error is a bug of these scripts. */
export class SetupError extends Error {}

/** @param {string} message */
export function say(message) {
  process.stderr.write(`rivulet: ${message}\n`);
}

/**
 * Installs the packages of package-lock.json, unless they are installed.
 *
 * @param {string} root
 */
export async function ensureInstalled(root) {
  if (isInstalled(root)) return;
  if (!canAdopt(root)) {
    say('installing packages (npm ci), once');
    const code = await runNpm(root, [
      'ci',
      '--include=dev',
      '--include=optional',
      '--include=peer',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]);
    if (code !== 0) throw new SetupError(`npm ci failed with exit code ${code}; its message is above`);
  }
  markInstalled(root);
}

/**
 * Builds these projects and their references. If the engine is one of them, bundles it and the page that it serves. Does nothing for what
 * has not changed since the last build.
 *
 * @param {string} root
 * @param {readonly string[]} projects
 */
export async function ensureBuilt(root, projects) {
  const fingerprints = projects.map((project) => ({ project, fingerprint: sourceFingerprint(root, project) }));
  const stale = fingerprints.filter(({ project, fingerprint }) => !isBuilt(root, project, fingerprint));
  if (stale.length > 0) {
    say(`building ${stale.map(({ project }) => project).join(', ')}`);
    const code = await runTool(root, 'typescript/bin/tsc', ['-b', ...projects]);
    if (code !== 0) throw new SetupError('the build failed; the messages of the compiler are above');
    for (const { project, fingerprint } of stale) {
      deleteStaleOutputs(root, project);
      markBuilt(root, project, fingerprint);
    }
  }
  if (!projects.includes('packages/engine')) return;
  // The bundler is a package that `ensureInstalled` may have installed a moment ago.
  const { ensureBundled } = await import('./engine-bundle.mjs');
  const { ensureInspector } = await import('./inspector-bundle.mjs');
  await Promise.all([ensureBundled(root), ensureInspector(root)]);
}

/**
 * Runs the program of an installed package with this Node, which is faster than npx.
 *
 * @param {string} root
 * @param {string} program path below node_modules
 * @param {readonly string[]} args
 * @param {{ stdout?: 'stdout' | 'stderr', env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>}
 */
export function runTool(root, program, args, options = {}) {
  return run(process.execPath, [join(root, 'node_modules', program), ...args], { cwd: root, ...options });
}

/**
 * Prints an error in one line and ends the process. Only the outermost level of a script calls it.
 *
 * @param {unknown} error
 * @returns {never}
 */
export function fail(error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exit(1);
}

/**
 * @param {string} root
 * @param {readonly string[]} args
 * @returns {Promise<number>}
 */
export async function runNpm(root, args) {
  // `npm start` sets this variable to the running npm, which may differ from the first one on the path.
  const npm = process.env['npm_execpath'];
  try {
    if (npm?.endsWith('npm-cli.js')) return await run(process.execPath, [npm, ...args], { cwd: root });
    return await run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, { cwd: root });
  } catch (error) {
    if (isCommandMissing(error)) throw new SetupError('npm was not found; it comes with Node, or install it and try again');
    throw error;
  }
}
