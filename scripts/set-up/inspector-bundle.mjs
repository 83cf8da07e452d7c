import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { eventDocs } from './event-docs.mjs';
import { NOTICES, noticesOf } from './third-party-notices.mjs';

/** The folder from which the engine serves the page, below the root of the repository. */
const INSPECTOR = 'packages/engine/inspector';

/**
 * Bundles the page of the admin listener, unless nothing has changed since the last time. Names of scripts and styles have a hash of their
 * content, so browsers keep them for ever. The document names them. Each also comes compressed.
 *
 * @param {string} root
 */
export async function ensureInspector(root) {
  const target = join(root, INSPECTOR);
  const source = join(root, 'packages/inspector');
  const folders = [
    join(source, 'src'),
    join(source, 'page'),
    ...['protocol', 'client'].map((name) => join(root, 'packages', name, 'dist')),
  ];
  const events = join(root, 'docs/log-events.md');
  const inputs = [...folders.flatMap(filesBelow), events, join(root, 'package-lock.json'), import.meta.filename];
  const newest = Math.max(...inputs.map((file) => statSync(file).mtimeMs));
  const made = statSync(join(target, NOTICES), { throwIfNoEntry: false });
  if (made !== undefined && made.mtimeMs > newest) return;

  const { code, modules } = await bundleScript(join(source, 'src/main.tsx'));
  const part = `${target}-${process.pid}`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(join(part, 'assets'), { recursive: true });
  const page = Object.entries({
    SCRIPT: ['inspector.js', code],
    STYLE: ['inspector.css', bundleStyle(join(source, 'src'))],
    ICON: ['icon.svg', readFileSync(join(source, 'page/icon.svg'), 'utf8')],
    EVENTS: ['event-docs.txt', JSON.stringify(eventDocs(readFileSync(events, 'utf8')))],
  }).reduce(
    (html, [place, [name = '', text = '']]) => {
      const file = `assets/${hashed(name, text)}`;
      writeFileSync(join(part, file), text);
      writeFileSync(join(part, `${file}.br`), brotliCompressSync(text));
      writeFileSync(join(part, `${file}.gz`), gzipSync(text, { level: 9 }));
      return html.replace(`"${place}"`, `"${file}"`);
    },
    readFileSync(join(source, 'page/index.html'), 'utf8'),
  );
  writeFileSync(join(part, 'index.html'), page);
  writeFileSync(join(part, NOTICES), noticesOf(modules));
  rmSync(target, { recursive: true, force: true });
  renameSync(part, target);
}

/** @param {string} input @returns {Promise<{ code: string, modules: readonly string[] }>} */
async function bundleScript(input) {
  const build = await rolldown({
    input,
    platform: 'browser',
    resolve: { extensionAlias: { '.js': ['.ts', '.tsx', '.js'] } },
    transform: { jsx: 'react-jsx', define: { 'process.env.NODE_ENV': '"production"' } },
    // React's directive has a meaning for bundlers of servers, and none in a script.
    onLog: (level, log, report) => log.code === 'MODULE_LEVEL_DIRECTIVE' || report(level, log),
  });
  const { output } = await build.generate({ format: 'esm', minify: true, codeSplitting: false });
  await build.close();
  const [script] = output;
  return { code: script.code, modules: script.moduleIds };
}

/** Returns the rules of all style sheets: those of uPlot, those for all pages, and those of each folder. @param {string} source */
function bundleStyle(source) {
  const sheets = filesBelow(source).filter((file) => file.endsWith('.css'));
  const shared = sheets.filter((file) => file.startsWith(join(source, 'style'))).sort();
  const others = sheets.filter((file) => !shared.includes(file)).sort();
  const uplot = createRequire(join(source, 'main.tsx')).resolve('uplot/dist/uPlot.min.css');
  return [uplot, ...shared, ...others].map((file) => readFileSync(file, 'utf8')).join('\n');
}

/** @param {string} name @param {string} text */
function hashed(name, text) {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 12);
  return name.replace('.', `-${hash}.`);
}

/** @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.tsbuildinfo'))
    .map((entry) => join(entry.parentPath, entry.name));
}
