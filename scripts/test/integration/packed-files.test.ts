import { readFileSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { checkPackage, createPackageFromTarballData, type Problem } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { describe, expect, it } from 'vitest';
import { contentsText } from '../../packing/contents.mjs';
import { folderOf, manifestOf, PUBLISHED } from '../../packing/published.mjs';
import { sharedTarballs } from '../../packing/shared.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

const TARBALLS = await sharedTarballs();
/** Packages with entries for `require` too. The others are for modules only. */
const OF_BOTH_KINDS = ['client', 'sdk'];
/** Entries without types: a part for the SDK, which is a module; the command, which exports nothing; a schema for editors. */
const WITHOUT_TYPES = ['connection', 'command', 'config.schema.json'];

/** Returns every file that `exports` names, of every condition. */
function targetsOf(exports: unknown): readonly string[] {
  if (typeof exports === 'string') return [exports];
  return exports !== null && typeof exports === 'object' ? Object.values(exports).flatMap(targetsOf) : [];
}

/** Whether a finding of attw matters: the docs name the ways of resolution that work, and `node10` is none of them. */
function matters(name: string, problem: Problem): boolean {
  const resolution = 'resolutionKind' in problem ? problem.resolutionKind : undefined;
  return resolution !== 'node10' && (resolution !== 'node16-cjs' || OF_BOTH_KINDS.includes(name));
}

describe.each(PUBLISHED)('the tarball of %s', (name) => {
  const manifest = manifestOf(name);
  const packed = TARBALLS.find((each) => each.name === manifest.name);
  if (packed === undefined) throw new Error(`no tarball of ${name}`);
  const files = new Set(packed.files);
  const textOf = (path: string) => readFileSync(join(folderOf(name), path), 'utf8');

  it('has the files of scripts/packing/contents; `npm run api` writes that list anew after a change', () => {
    expect(contentsText(name, files)).toBe(readFileSync(join(ROOT, 'scripts/packing/contents', `${name}.txt`), 'utf8'));
  });

  it('has the outputs of each source, and no others', () => {
    const compiled = [...files].filter((path) => /^dist\/(?!bundle\/)/.test(path));
    const modules = [...files].filter((path) => /^src\/.*\.tsx?$/.test(path)).map((path) => path.replace(/^src\/(.*)\.tsx?$/, 'dist/$1'));
    expect(compiled.toSorted()).toEqual(
      modules.flatMap((path) => ['.d.ts', '.d.ts.map', '.js', '.js.map'].map((end) => path + end)).toSorted(),
    );
  });

  it('has its license, its README and every file that its manifest names', () => {
    const named = [...targetsOf(manifest.exports), ...Object.values(manifest.bin ?? {})].map((path) => posix.normalize(path));
    expect(['LICENSE', 'README.md', 'package.json', ...named].filter((path) => !files.has(path))).toEqual([]);
    expect(textOf('LICENSE')).toBe(readFileSync(join(ROOT, 'LICENSE'), 'utf8'));
  });

  it('has no tests and no leftovers of a build', () => {
    const unwanted =
      /\.tsbuildinfo$|^(?:src|dist|cjs|bin)\/(?:.*\/)?(?:tests?|__tests__|fixtures)\/|^(?:src|dist|cjs|bin)\/.*\.(?:test|spec)\./;
    expect([...files].filter((path) => unwanted.test(path))).toEqual([]);
  });

  it('has maps that lead to files of the package', () => {
    const lost: string[] = [];
    for (const path of files) {
      if (!path.startsWith('dist/') || path.endsWith('.map')) continue;
      const [, map] = /^\/\/# sourceMappingURL=(.+)$/m.exec(textOf(path).slice(-200)) ?? [];
      if (map === undefined) continue;
      const mapPath = posix.join(posix.dirname(path), map);
      if (!files.has(mapPath)) {
        lost.push(mapPath);
        continue;
      }
      const { sources } = JSON.parse(textOf(mapPath)) as { readonly sources: readonly string[] };
      lost.push(...sources.map((source) => posix.join(posix.dirname(mapPath), source)).filter((source) => !files.has(source)));
    }
    expect(lost).toEqual([]);
  });

  it('depends on exactly the version of each other package that this repository has', () => {
    const versions = new Map(PUBLISHED.map(manifestOf).map((other) => [other.name, other.version]));
    const needed = Object.entries(manifest.dependencies ?? {}).filter(([dependency]) => /^@?rivulet\b/.test(dependency));
    // A package that is not published, such as the test kit, has no version here.
    expect(needed.filter(([dependency, range]) => range !== versions.get(dependency))).toEqual([]);
    const { version } = manifestOf('engine');
    expect(manifest.peerDependencies?.['@rivulet/engine'] ?? `>=${version}`).toBe(`>=${version}`);
  });

  it('works for its users, says publint', async () => {
    const tarball = readFileSync(packed.tarball);
    const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(tarball).buffer }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  // A package without entries has no types.
  if (manifest.exports === undefined) return;

  it('has types for node16, nodenext and bundler, says attw', async () => {
    const analysed = createPackageFromTarballData(new Uint8Array(readFileSync(packed.tarball)));
    const result = await checkPackage(analysed, { excludeEntrypoints: WITHOUT_TYPES });
    expect(result.types).toMatchObject({ kind: 'included' });
    expect('problems' in result && result.problems.filter((problem) => matters(name, problem))).toEqual([]);
  });
});

it('the tarballs have the names that npm gives them', () => {
  const names = TARBALLS.map(({ name, version }) => `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
  expect(TARBALLS.map(({ tarball }) => basename(tarball))).toEqual(names);
});
