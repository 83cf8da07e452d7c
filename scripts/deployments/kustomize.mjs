import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../set-up/child-process.mjs';
import { SetupError, say } from '../set-up/workspace.mjs';

/** The folder of the sources, and of the rendered manifests. */
export const KUBERNETES = 'ops/kubernetes';
export const OVERLAYS = /** @type {const} */ (['embedded', 'redis']);
/** @typedef {(typeof OVERLAYS)[number]} Overlay */

const VERSION = 'v5.7.1';
const COMPILATION_MS = 1_200_000;

/**
 * Returns the first lines of a rendered file: its origin, and a hash of all files that went into it.
 *
 * @param {string} root
 * @param {Overlay} overlay
 * @returns {string}
 */
export function headOf(root, overlay) {
  const hash = createHash('sha256');
  for (const folder of ['base', `overlays/${overlay}`].map((name) => join(root, KUBERNETES, name)))
    for (const name of readdirSync(folder).sort()) hash.update(`${name}\0`).update(readFileSync(join(folder, name)));
  return [
    `# Made by \`npm run deployments -- --write\` from ${KUBERNETES}/overlays/${overlay}, for those who do without kustomize.`,
    `# The files there, and in ${KUBERNETES}/base, have the comments. Their hash: ${hash.digest('hex').slice(0, 32)}`,
    '',
  ].join('\n');
}

/**
 * Renders an overlay with kustomize, which Go compiles once.
 *
 * @param {string} root
 * @param {Overlay} overlay
 * @returns {Promise<string>}
 */
export async function render(root, overlay) {
  const { status, stdout, stderr } = spawnSync(await kustomize(root), ['build', `${KUBERNETES}/overlays/${overlay}`], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new SetupError(`kustomize build ${overlay}: ${stderr}`);
  return headOf(root, overlay) + stdout;
}

/** @param {string} root @returns {Promise<string>} */
async function kustomize(root) {
  const folder = join(root, '.rivulet/deployments/kustomize');
  const program = join(folder, 'kustomize');
  if (existsSync(program)) return program;
  say(`compiling kustomize ${VERSION}, once`);
  mkdirSync(folder, { recursive: true });
  const options = { cwd: root, env: { GOBIN: folder }, timeoutMs: COMPILATION_MS };
  const code = await run('go', ['install', `sigs.k8s.io/kustomize/kustomize/v5@${VERSION}`], options);
  if (code !== 0) throw new SetupError('kustomize could not be compiled; the message of Go is above');
  return program;
}
