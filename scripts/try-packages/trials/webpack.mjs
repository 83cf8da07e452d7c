import { join } from 'node:path';
import { output } from '../../packing/output.mjs';
import { served, tryPage } from '../browser.mjs';
import { install, versionOf, write } from '../packages.mjs';
import { checkedEntries, FRAMEWORKS, html, OF_PAGES, pageSource } from './page-sources.mjs';

/** @import { Trial } from './all.mjs' */

// `source-map-loader` reads every map of the packages, and a map that leads nowhere is a warning. A warning fails the trial.
const BUILD = `import { resolve } from 'node:path';
import webpack from 'webpack';
const rule = { test: /\\.js$/, include: /@rivulet/, enforce: 'pre', use: ['source-map-loader'] };
const compiler = webpack({
  mode: 'production', entry: './main.js', devtool: 'source-map', performance: { hints: false },
  output: { path: resolve('dist'), filename: 'main.js' }, module: { rules: [rule] },
});
compiler.run((error, stats) => {
  if (error) throw error;
  if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString('errors-warnings'));
});
`;

/** @type {Trial['run']} */
export async function tryWebpack({ packed, backend, browser }) {
  const dependencies = { ...FRAMEWORKS, webpack: '~5.113.0', 'source-map-loader': '5' };
  const folder = await install(packed, 'webpack', { ours: OF_PAGES, dependencies });
  write(folder, { 'main.js': pageSource(folder), 'build.mjs': BUILD });
  await output(folder, process.execPath, ['build.mjs']);
  write(folder, { 'dist/index.html': html('/main.js') });
  const { entries } = await served(join(folder, 'dist'), (url) =>
    tryPage(browser, backend, `${url}?stream=${encodeURIComponent(backend.streamUrl)}&group=webpack`, 'webpack'),
  );
  return [`webpack ${versionOf(folder, 'webpack')}: ${checkedEntries(entries)}`];
}
