import { join } from 'node:path';
import { output } from '../../packing/output.mjs';
import { served, tryPage } from '../browser.mjs';
import { install, versionOf, write } from '../packages.mjs';
import { checkedEntries, FRAMEWORKS, html, OF_PAGES, pageSource } from './page-sources.mjs';

/** @import { Trial } from './all.mjs' */

/** @type {Trial['run']} */
export async function tryVite({ packed, backend, browser }) {
  const folder = await install(packed, 'vite', { ours: OF_PAGES, dependencies: { ...FRAMEWORKS, vite: '8' } });
  write(folder, { 'index.html': html('/main.js'), 'main.js': pageSource(folder) });
  await output(folder, 'npx', ['vite', 'build', '--logLevel', 'warn']);
  const { entries } = await served(join(folder, 'dist'), (url) =>
    tryPage(browser, backend, `${url}?stream=${encodeURIComponent(backend.streamUrl)}&group=vite`, 'vite'),
  );
  return [`Vite ${versionOf(folder, 'vite')}: ${checkedEntries(entries)}`];
}
