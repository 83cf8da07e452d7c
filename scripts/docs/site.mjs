import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { join } from 'node:path';
import { preparePages } from '../../site/src/prepare.mjs';
import { run } from '../set-up/child-process.mjs';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, ROOT, SetupError } from '../set-up/workspace.mjs';

// The documentation site. It has packages of its own, which only those who build it install.

const SITE = join(ROOT, 'site');
const VITEPRESS = join(SITE, 'node_modules/vitepress/bin/vitepress.js');

/** Installs the packages of the site, and brings its pages up to date: copies of documents, and the reference of the packages. */
export async function prepareSite() {
  await ensureInstalled(ROOT);
  await Promise.all([ensureInstalled(SITE), ensureBuilt(ROOT, ALL_PROJECTS)]);
  const code = await run(process.execPath, [join(SITE, 'src/api-reference.mjs'), ROOT], { cwd: SITE });
  if (code !== 0) throw new SetupError('the reference of the packages could not be written; the messages are above');
  preparePages(ROOT);
}

/**
 * Builds the site from its prepared pages.
 *
 * @param {string} target the folder of the result
 * @returns {Promise<{ code: number, output: string }>}
 */
export async function buildSite(target) {
  const child = spawn(process.execPath, [VITEPRESS, 'build', '--outDir', target], { cwd: SITE, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part) => {
      output += String(part);
    });
  const [code] = await once(child, 'close');
  return { code: code ?? 1, output };
}

/**
 * Serves the site. A changed document is copied, and the pages that are open show it.
 *
 * @param {readonly string[]} args options of VitePress
 * @returns {Promise<number>} the exit code of the server, when it has ended
 */
export async function serveSite(args) {
  /** @type {NodeJS.Timeout | undefined} */
  let copying;
  // An editor writes a file in several steps.
  const copySoon = () => {
    clearTimeout(copying);
    copying = setTimeout(() => preparePages(ROOT), 100);
  };
  const watchers = [watch(join(ROOT, 'docs'), { recursive: true }, copySoon), watch(ROOT, copySoon)];
  const code = await run(process.execPath, [VITEPRESS, 'dev', ...args], { cwd: SITE, stdout: 'stdout' });
  for (const watcher of watchers) watcher.close();
  clearTimeout(copying);
  return code;
}
