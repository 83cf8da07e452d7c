import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Application } from 'typedoc';
import { PAGES } from './prepare.mjs';
import { slugOf } from './slug.mjs';

// Writes the reference of the published packages from their built declarations: one page for each entry that programs import. It runs as a
// program of its own, with the root of the repository as its argument, since the compiler keeps much memory.

/** The package, its entry, and the declarations of the entry, without `dist/` and `.d.ts`. */
const ENTRIES = /** @type {const} */ ([
  ['client', '', 'index'],
  ['client', 'react', 'react'],
  ['client', 'vue', 'vue'],
  ['client', 'svelte', 'svelte'],
  ['client', 'optimistic', 'optimistic'],
  ['client', 'kept-calls', 'kept-calls'],
  ['client', 'debug', 'debug'],
  ['client', 'connection', 'connection/connection'],
  ['sdk', '', 'index'],
  ['sdk', 'stream', 'stream'],
  ['sdk', 'state', 'state'],
  ['sdk', 'testing', 'testing'],
  ['engine', '', 'index'],
  ['engine', 'store', 'store/store'],
  ['engine', 'stores', 'stores'],
  ['protocol', '', 'index'],
  ['conformance', 'store-contract', 'store-contract/store-contract'],
  ['conformance', 'store-contract/factory', 'store-contract/factory'],
  ['conformance', 'store-contract/writes', 'store-contract/writes'],
  ['conformance', 'frame-worker', 'peers/frame-worker'],
]);

const INTRODUCTION = `# Packages

The programs that you write import these packages. Each page lists what one entry exports, from the comments of its declarations.`;

const [, , root = ''] = process.argv;
const target = join(root, 'site', PAGES, 'api');
const stampFile = join(root, 'site/.vitepress/cache/api-stamp');
const stamp = fingerprint();
if (!existsSync(target) || !existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) {
  await writeReference();
  mkdirSync(join(stampFile, '..'), { recursive: true });
  writeFileSync(stampFile, stamp);
}

/** Returns a hash of all declarations, and of this program. */
function fingerprint() {
  const hash = createHash('sha256')
    .update(readFileSync(import.meta.filename))
    .update(readFileSync(join(root, 'site/package-lock.json')));
  for (const name of new Set(ENTRIES.map(([name]) => name))) {
    const folder = join(root, 'packages', name, 'dist');
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted())
      if (file.endsWith('.d.ts')) hash.update(file).update(readFileSync(join(folder, file)));
  }
  return hash.digest('hex');
}

async function writeReference() {
  const part = `${target}-${process.pid}`;
  const files = ENTRIES.map(([name, , file]) => join(root, 'packages', name, 'dist', `${file}.d.ts`));
  const app = await Application.bootstrapWithPlugins({
    name: 'Packages',
    entryPoints: files,
    tsconfig: join(root, 'site/src/api-tsconfig.json'),
    plugin: ['typedoc-plugin-markdown'],
    outputFileStrategy: 'modules',
    outputs: [{ name: 'markdown', path: part }],
    readme: 'none',
    disableSources: true,
    disableGit: true,
    excludePrivate: true,
    excludeProtected: true,
    excludeExternals: true,
    excludeInternal: true,
    skipErrorChecking: true,
    githubPages: false,
    logLevel: 'Error',
    hideBreadcrumbs: true,
    hidePageHeader: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    classPropertiesFormat: 'table',
    typeAliasPropertiesFormat: 'table',
    enumMembersFormat: 'table',
    expandObjects: false,
    useCodeBlocks: true,
    validation: false,
    sort: ['kind', 'alphabetical'],
  });
  const project = await app.convert();
  if (project === undefined) throw new Error('typedoc could not read the declarations of the packages; run npm run build');
  for (const [name, entry, file] of ENTRIES) {
    const module = project.children?.find((child) => child.name === `${name}/dist/${file}`.replace(/\/index$/, ''));
    if (module === undefined) throw new Error(`typedoc has no module for ${name}/dist/${file}`);
    module.name = entry === '' ? `@rivulet/${name}` : `@rivulet/${name}/${entry}`;
  }
  await app.generateOutputs(project);
  // The folder of the scope would stand in each address.
  rmSync(target, { recursive: true, force: true });
  renameSync(join(part, '@rivulet'), target);
  const index = readFileSync(join(part, 'README.md'), 'utf8').replaceAll('](@rivulet/', '](');
  writeFileSync(join(target, 'index.md'), index.replace(/^# .*$/m, INTRODUCTION));
  rmSync(part, { recursive: true });
  mendAnchors();
}

/** typedoc numbers anchors also where the page has only one of the name. Removes the number from links that would lead nowhere. */
function mendAnchors() {
  const files = readdirSync(target, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.md'));
  const texts = new Map(files.map((file) => [join(target, file), readFileSync(join(target, file), 'utf8')]));
  const anchors = new Map([...texts].map(([file, text]) => [file, anchorsOf(text)]));
  for (const [file, text] of texts) {
    const mended = text.replace(/\]\(([^()#\s]*)#([\w-]+)-\d+\)/g, (link, path, name) => {
      const there = anchors.get(path === '' ? file : join(dirname(file), path));
      return there === undefined || there.has(/#([\w-]+)\)/.exec(link)?.[1] ?? '') ? link : `](${path}#${name})`;
    });
    writeFileSync(file, mended);
  }
}

/** @param {string} text */
function anchorsOf(text) {
  const found = new Set([...text.matchAll(/<a id="([^"]*)">/g)].map(([, id = '']) => id));
  for (const [, heading = ''] of text.matchAll(/^#+ (.*)$/gm)) {
    const slug = slugOf(heading.replaceAll(/[`\\]/g, ''));
    let id = slug;
    for (let number = 1; found.has(id); number++) id = `${slug}-${number}`;
    found.add(id);
  }
  return found;
}
