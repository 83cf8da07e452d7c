import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { imageProblem } from '../deployments/image.mjs';
import { run } from './child-process.mjs';
import { ROOT, runNpm, say } from './workspace.mjs';

// Prepares what the tests of the container, the manifests and the Compose files need, each at an exact version. It is made once, below
// `.rivulet/deployments` of this clone.

/** The release of Debian and the versions of Node and npm that stand in for the base image of the Dockerfile. */
const BASE = { debian: 'bookworm', node: '24.22.3', npm: '11.21.2' };
/** Packages of PyPI with their dependencies. */
const VALIDATOR = [
  'kubernetes-validate==1.37.0',
  'attrs==26.1.0',
  'importlib-resources==7.1.0',
  'jsonschema==4.26.0',
  'jsonschema-specifications==2025.9.1',
  'packaging==26.4',
  'PyYAML==6.0.4',
  'referencing==0.37.0',
  'rpds-py==2026.9.1',
  'typing-extensions==4.16.0',
];
/** A Go program that reads Compose files as Docker does. */
const COMPOSE = 'github.com/compose-spec/compose-go/v2/cmd@v2.4.9';
const PREPARATION_MS = 600_000;

/** @typedef {{ readonly path: string } | { readonly missing: string }} Tool */
/** @typedef {'base' | 'validator' | 'compose' | 'machine'} ToolName */

/** @typedef {{ folder: string, path: string, what: string, make: (root: string, folder: string) => Promise<boolean> }} Recipe */
/** @type {Readonly<Record<ToolName, Recipe>>} */
const TOOLS = {
  base: {
    folder: `base-${BASE.debian}-${BASE.node}-${process.arch}`,
    path: '.',
    what: `a Debian ${BASE.debian} with Node ${BASE.node}, in place of the base image`,
    make: makeBase,
  },
  validator: { folder: 'validator', path: 'bin/python', what: 'kubernetes-validate of PyPI', make: makeValidator },
  machine: {
    folder: `machine-${BASE.debian}-${process.arch}`,
    path: '.',
    what: `a Debian ${BASE.debian} with systemd`,
    make: (root, folder) => makeDebian(root, folder, ['--include=systemd,dbus']),
  },
  compose: { folder: 'compose', path: 'bin/cmd', what: 'a reader of Compose files, compiled by Go', make: makeComposeReader },
};

/** @param {string} root @param {ToolName} name */
const folderOf = (root, name) => join(root, '.rivulet/deployments', TOOLS[name].folder);

/**
 * Returns the path of a tool, or why it is missing.
 *
 * @param {string} root
 * @param {ToolName} name
 * @returns {Tool}
 */
export function deploymentTool(root, name) {
  const folder = folderOf(root, name);
  if (existsSync(folder)) return { path: join(folder, TOOLS[name].path) };
  return { missing: `${TOOLS[name].what}, is missing; \`node scripts/set-up/deployment-tools.mjs\` makes it, or says what it needs` };
}

/**
 * Makes the missing tools. A tool that cannot be made causes one line of output. Its tests are then skipped, which fails a run in CI.
 *
 * @param {string} root
 */
export async function ensureDeploymentTools(root) {
  const problem = imageProblem();
  if (problem !== undefined) say(`missing: the tests of the container image (${problem})`);
  const names = /** @type {ToolName[]} */ (['base', 'validator', 'compose']).filter((name) => name !== 'base' || problem === undefined);
  await Promise.all(names.map((name) => ensureTool(root, name)));
}

/** @param {string} root @param {ToolName} name */
export async function ensureTool(root, name) {
  const folder = folderOf(root, name);
  if (existsSync(folder)) return;
  const { what, make } = TOOLS[name];
  say(`preparing ${what}, once`);
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  const started = performance.now();
  const made = await make(root, part).catch((error) => {
    say(error instanceof Error ? error.message : String(error));
    return false;
  });
  if (made) renameSync(part, folder);
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  say(made ? `${what}: ready after ${seconds} s` : `missing: ${what}; its preparation failed after ${seconds} s, the reason is above`);
}

/**
 * Makes a Debian without documentation and translations, as its slim images.
 *
 * @param {string} root
 * @param {string} folder
 * @param {readonly string[]} options
 */
async function makeDebian(root, folder, options = []) {
  const slim = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*'].map((path) => `--dpkgopt=path-exclude=${path}`);
  const words = ['--quiet', '--mode=root', '--variant=minbase', '--format=directory', ...slim, ...options, BASE.debian, folder];
  return (await run('mmdebstrap', words, { cwd: root, timeoutMs: PREPARATION_MS, env: { DEBIAN_FRONTEND: 'noninteractive' } })) === 0;
}

/** @param {string} root @param {string} folder */
async function makeBase(root, folder) {
  if (!(await makeDebian(root, folder))) return false;
  const name = `node-linux-${process.arch}`;
  const packages = join(folder, 'usr/local/lib');
  const npm = ['install', '--prefix', packages, '--no-save', '--ignore-scripts', '--no-package-lock', '--loglevel=error'];
  if ((await runNpm(root, [...npm, `${name}@${BASE.node}`, `npm@${BASE.npm}`])) !== 0) return false;
  for (const [link, target] of [
    ['node', `../lib/node_modules/${name}/bin/node`],
    ['npm', '../lib/node_modules/npm/bin/npm-cli.js'],
    ['npx', '../lib/node_modules/npm/bin/npx-cli.js'],
  ])
    symlinkSync(target ?? '', join(folder, 'usr/local/bin', link ?? ''));
  // Builds get the file of this machine at this place.
  writeFileSync(join(folder, 'etc/resolv.conf'), '');
  return true;
}

/** @param {string} root @param {string} folder */
async function makeValidator(root, folder) {
  const options = { cwd: root, timeoutMs: PREPARATION_MS };
  if ((await run('python3', ['-m', 'venv', folder], options)) !== 0) return false;
  const flags = ['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:'];
  return (await run(join(folder, 'bin/python'), ['-m', 'pip', 'install', ...flags, ...VALIDATOR], options)) === 0;
}

/** @param {string} root @param {string} folder */
async function makeComposeReader(root, folder) {
  return (await run('go', ['install', COMPOSE], { cwd: root, timeoutMs: PREPARATION_MS, env: { GOBIN: join(folder, 'bin') } })) === 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await ensureDeploymentTools(ROOT);
