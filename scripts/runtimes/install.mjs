import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT, runNpm, SetupError, say } from '../set-up/workspace.mjs';

/**
 * A runtime that is measured. Its program comes from the npm registry, at an exact version. Node and Bun have one package for each
 * platform. npm compares the checksum, and runs no script of the package.
 *
 * @typedef {{ id: string, name: string, version: string, kind: 'node' | 'bun' }} Runtime
 */

/** The runtimes of docs/runtimes.md, oldest first. A newer version is an edit here and a new measurement. @type {readonly Runtime[]} */
export const RUNTIMES = [
  { id: 'node-20', name: 'Node 20', version: '20.20.2', kind: 'node' },
  { id: 'node-22', name: 'Node 22', version: '22.23.5', kind: 'node' },
  { id: 'node-24', name: 'Node 24', version: '24.22.3', kind: 'node' },
  { id: 'node-26', name: 'Node 26', version: '26.12.1', kind: 'node' },
  { id: 'bun', name: 'Bun', version: '1.4.5', kind: 'bun' },
];

/** Runtimes whose smoke runs are part of `npm test`: the newest Node, and Bun. */
export const TESTED = ['node-26', 'bun'];

const { platform, arch } = process;

/** @param {Runtime['kind']} kind */
function packageOf(kind) {
  if (kind === 'node') return `node-${platform === 'win32' ? 'win' : platform}-${arch}`;
  return `@oven/bun-${platform === 'win32' ? 'windows' : platform}-${arch === 'arm64' ? 'aarch64' : arch}`;
}

/**
 * Returns the path of the program of a runtime; `undefined` when it is not installed. A version of Node that runs this script needs none.
 *
 * @param {Runtime} runtime
 * @returns {string | undefined}
 */
function installedRuntime({ version, kind }) {
  if (kind === 'node' && version === process.versions.node) return process.execPath;
  const name = kind + (platform === 'win32' ? '.exe' : '');
  const program = join(folderOf(kind, version), 'node_modules', packageOf(kind), 'bin', name);
  return existsSync(program) ? program : undefined;
}

/**
 * Returns the program of a runtime, or why it is missing.
 *
 * @param {Runtime} runtime
 * @returns {{ readonly program: string } | { readonly missing: string }}
 */
export function runtimeProgram(runtime) {
  const program = installedRuntime(runtime);
  if (program !== undefined) return { program };
  const what = `${runtime.name} ${runtime.version}`;
  return { missing: `${what} is not installed; \`node scripts/runtimes/install.mjs\` does it, or says what it needs` };
}

/**
 * Returns the program of a runtime and installs it if it is missing.
 *
 * @param {Runtime} runtime
 * @returns {Promise<string>}
 */
export async function ensureRuntime(runtime) {
  const installed = installedRuntime(runtime);
  if (installed !== undefined) return installed;
  const { kind, version } = runtime;
  const wanted = `${packageOf(kind)}@${version}`;
  const folder = folderOf(kind, version);
  say(`installing ${wanted} from npm, once`);
  mkdirSync(folder, { recursive: true });
  const flags = ['--no-save', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];
  const code = await runNpm(ROOT, ['install', '--prefix', folder, ...flags, wanted]);
  const program = installedRuntime(runtime);
  if (code !== 0 || program === undefined) throw new SetupError(`${wanted} could not be installed; the message of npm is above`);
  return program;
}

/** Installs the runtimes of the tests. If that fails, it prints a line, and their tests are skipped. In CI a skipped test is a failure. */
export async function ensureTestedRuntimes() {
  for (const runtime of RUNTIMES.filter(({ id }) => TESTED.includes(id))) {
    try {
      await ensureRuntime(runtime);
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      say(`missing: ${error.message}`);
    }
  }
}

/** @param {Runtime['kind']} kind @param {string} version */
function folderOf(kind, version) {
  return join(ROOT, '.rivulet', 'runtimes', `${kind}-${version}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await ensureTestedRuntimes();
