import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { run } from './child-process.mjs';
import { ROOT, say } from './workspace.mjs';

// Installs the official SDKs of Python and Rust for the tests, each at an exact version with exact dependencies. They are installed and
// compiled once, below `.rivulet/` of this clone, and again only when their inputs change.

/** Versions of `iii-sdk` from PyPI. */
export const PYTHON_SDKS = /** @type {const} */ (['0.11.6', '0.22.1', '0.25.0']);
/** @typedef {(typeof PYTHON_SDKS)[number]} PythonSdk */

/** Cargo projects by the name of their binary, with their folders. They share one folder of compiled dependencies. */
export const RUST_PROJECTS = /** @type {const} */ ({
  'rust-worker': 'packages/conformance/test/harness/rust-worker',
  'chat-and-presence': 'examples/chat-and-presence/rust',
});
/** @typedef {keyof typeof RUST_PROJECTS} RustProject */

/**
 * State of a client: its program, or the reason why it is missing.
 * @typedef {{ program: string } | { missing: string }} Client
 */

/** Time for one Python environment on a slow machine, with downloads. */
const PYTHON_MS = 300_000;
const RUST_MS = 1_200_000;
const OLDEST_PYTHON = [3, 10];
/** Oldest version of cargo that the crate supports. */
const OLDEST_CARGO = [1, 85];

/** @param {string} root */
const cache = (root) => join(root, '.rivulet', 'clients');

/** @param {PythonSdk} version */
export const requirementsFile = (version) => `packages/conformance/test/harness/python/iii-sdk-${version}.txt`;

/** @param {string} root @param {PythonSdk} version */
export const pythonFolder = (root, version) => join(cache(root), `python-${version}-${fingerprint(root, [requirementsFile(version)])}`);

/**
 * @param {string} root
 * @param {PythonSdk} version
 * @returns {Client}
 */
export function pythonClient(root, version) {
  const folder = pythonFolder(root, version);
  if (existsSync(join(folder, 'complete'))) return { program: join(folder, 'bin', 'python') };
  return {
    missing: `iii-sdk ${version} for Python is not installed; \`node scripts/set-up/language-clients.mjs\` does it, or says what it needs`,
  };
}

/**
 * @param {string} root
 * @param {RustProject} project
 * @returns {Client}
 */
export function rustClient(root, project) {
  const program = join(cache(root), 'cargo', 'debug', project);
  if (existsSync(program) && readText(rustStamp(root, project)) === rustFingerprint(root, project)) return { program };
  return { missing: `${project} in Rust is not compiled; \`node scripts/set-up/language-clients.mjs\` does it, or says what it needs` };
}

/** @param {string} root @param {RustProject} project */
const rustStamp = (root, project) => join(cache(root), `${project}.stamp`);

/** @param {string} root @param {RustProject} project */
export function rustFingerprint(root, project) {
  const folder = RUST_PROJECTS[project];
  const sources = readdirSync(join(root, folder, 'src')).map((file) => `${folder}/src/${file}`);
  return fingerprint(root, [`${folder}/Cargo.toml`, `${folder}/Cargo.lock`, ...sources.toSorted()]);
}

/**
 * @param {string} root
 * @param {RustProject} project
 * @param {string} stamp the fingerprint of what it was compiled from
 */
export function markRustCompiled(root, project, stamp) {
  writeFileSync(rustStamp(root, project), stamp);
}

/**
 * Installs and compiles missing clients in parallel. A client that cannot be installed causes one line of output. Its tests are then
 * skipped, which fails a run in CI.
 *
 * @param {string} root
 */
export async function ensureLanguageClients(root) {
  const pythons = PYTHON_SDKS.filter((version) => 'missing' in pythonClient(root, version));
  const projects = rustProjects().filter((project) => 'missing' in rustClient(root, project));
  await Promise.all([ensurePythons(root, pythons), ensureRust(root, projects)]);
}

const rustProjects = () => /** @type {RustProject[]} */ (Object.keys(RUST_PROJECTS));

/**
 * @param {string} root
 * @param {readonly PythonSdk[]} versions
 */
async function ensurePythons(root, versions) {
  if (versions.length === 0) return;
  const found = await versionOf('python3');
  if (found === undefined || isOlder(found, OLDEST_PYTHON)) {
    say(`missing: python3 ${OLDEST_PYTHON.join('.')} or newer (for the tests of the Python SDK)`);
    return;
  }
  await Promise.all(versions.map((version) => timed(`iii-sdk ${version} for Python`, () => installPython(root, version))));
}

/**
 * @param {string} root
 * @param {PythonSdk} version
 * @returns {Promise<boolean>}
 */
async function installPython(root, version) {
  const folder = pythonFolder(root, version);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(cache(root), { recursive: true });
  const options = { cwd: root, timeoutMs: PYTHON_MS };
  if ((await run('python3', ['-m', 'venv', folder], options)) !== 0) return false;
  // Only wheels are allowed, so no code of a package runs during its installation. The file names every dependency, so pip resolves none.
  const flags = ['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:'];
  const pip = ['-m', 'pip', 'install', ...flags, '--requirement', requirementsFile(version)];
  if ((await run(join(folder, 'bin', 'python'), pip, options)) !== 0) return false;
  if ((await run(join(folder, 'bin', 'python'), ['-m', 'pip', 'check', '--quiet'], options)) !== 0) return false;
  writeFileSync(join(folder, 'complete'), '');
  return true;
}

/**
 * @param {string} root
 * @param {readonly RustProject[]} projects
 */
async function ensureRust(root, projects) {
  if (projects.length === 0) return;
  const found = await versionOf('cargo');
  if (found === undefined || isOlder(found, OLDEST_CARGO)) {
    say(`missing: cargo ${OLDEST_CARGO.join('.')} or newer (for the tests of the Rust SDK); rustup installs it`);
    return;
  }
  // The projects compile one after the other, because the first one compiles the dependencies of both.
  for (const project of projects) await timed(`${project} in Rust`, () => compileRust(root, project));
}

/**
 * @param {string} root
 * @param {RustProject} project
 * @returns {Promise<boolean>}
 */
async function compileRust(root, project) {
  const manifest = join(root, RUST_PROJECTS[project], 'Cargo.toml');
  const stamp = rustFingerprint(root, project);
  mkdirSync(cache(root), { recursive: true });
  const args = ['build', '--quiet', '--locked', '--jobs', '2', '--manifest-path', manifest, '--target-dir', join(cache(root), 'cargo')];
  if ((await run('cargo', args, { cwd: root, timeoutMs: RUST_MS })) !== 0) return false;
  markRustCompiled(root, project, stamp);
  return true;
}

/**
 * @param {string} what
 * @param {() => Promise<boolean>} action
 */
async function timed(what, action) {
  say(`preparing ${what}, once`);
  const started = performance.now();
  const ok = await action();
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  say(ok ? `${what} is ready after ${seconds} s` : `missing: ${what}; its preparation failed after ${seconds} s, the reason is above`);
}

/**
 * @param {string} program
 * @returns {Promise<readonly number[] | undefined>} the version that it says it has; `undefined` when there is none
 */
async function versionOf(program) {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 30_000 });
    return parseVersion(stdout);
  } catch {
    return undefined;
  }
}

/**
 * @param {string} text for instance `Python 3.11.7`
 * @returns {readonly number[] | undefined}
 */
export function parseVersion(text) {
  const match = /(\d+)\.(\d+)/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

/**
 * @param {readonly number[]} version
 * @param {readonly number[]} oldest
 * @returns {boolean}
 */
export function isOlder([major = 0, minor = 0], [oldestMajor = 0, oldestMinor = 0]) {
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}

/**
 * @param {string} root
 * @param {readonly string[]} files
 */
function fingerprint(root, files) {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`);
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex').slice(0, 16);
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

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await ensureLanguageClients(ROOT);
