import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CreateFailure, FAILURES } from '../../src/failure.js';
import { manifestOf, tarballOf } from '../../src/manifest.js';
import { projectName } from '../../src/project-name.js';
import { HELP, readWords } from '../../src/read-words.js';
import { isTemplate, TEMPLATES } from '../../src/templates.js';
import { OUR_PACKAGES, OUR_VERSION, VERSIONS } from '../../src/versions.js';

function failureOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof CreateFailure) return `${error.message} (${error.code})`;
    throw error;
  }
  return 'no failure';
}

describe('the words of a command line', () => {
  it('name the directory, the template and the folder of the packages', () => {
    expect(readWords(['my-app', '--template', 'page', '--packages', '/p', '--yes'])).toEqual({
      kind: 'create',
      directory: 'my-app',
      template: 'page',
      packages: '/p',
      yes: true,
    });
    expect(readWords(['-t', 'worker'])).toMatchObject({ directory: undefined, template: 'worker', yes: false });
    expect(readWords(['-h'])).toEqual({ kind: 'help' });
  });

  it.each([
    [['a', '--template', 'svelte'], 'there is no template "svelte"; choose one of react, page, worker (UNKNOWN_TEMPLATE)'],
    [['a', '--template', 'constructor'], 'there is no template "constructor"; choose one of react, page, worker (UNKNOWN_TEMPLATE)'],
    [['a', 'b'], 'one directory is enough; "b" is more (INVALID_ARGUMENTS)'],
    [[''], 'the name of the directory is empty (INVALID_ARGUMENTS)'],
    [['a', '--tempalte', 'page'], "Unknown option '--tempalte'; create-rivulet --help lists the options (INVALID_ARGUMENTS)"],
    [['a', '--packages'], "Option '--packages <value>' argument missing; create-rivulet --help lists the options (INVALID_ARGUMENTS)"],
  ])('are refused: %j', (words, sentence) => {
    expect(failureOf(() => readWords(words))).toBe(sentence);
  });
});

describe('the name of a project', () => {
  it.each([
    ['/home/ann/my-app', 'my-app'],
    ['/home/ann/My App/', 'my-app'],
    ['board2', 'board2'],
  ])('of %s is %s', (directory, name) => {
    expect(projectName(directory)).toBe(name);
  });

  it.each(['/', '.hidden', '日本', 'a/node_modules', 'react', 'a%b', 'x'.repeat(215)])('is refused: %s', (directory) => {
    expect(failureOf(() => projectName(directory))).toMatch(/; choose another directory \(INVALID_NAME\)$/);
  });
});

describe.each(Object.entries(TEMPLATES))('package.json of the template %s', (_name, template) => {
  const manifest = JSON.parse(manifestOf('my-app', template, undefined)) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;

  it('has exact versions, and those of Rivulet are the version of this package', () => {
    const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(all.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    expect(new Set(all.filter(([name]) => name in OUR_PACKAGES).map(([, version]) => version))).toEqual(new Set([OUR_VERSION]));
  });
});

it('the names of packed packages are those that npm gives', () => {
  expect(tarballOf('@rivulet/client')).toBe(`rivulet-client-${OUR_VERSION}.tgz`);
  expect(tarballOf('rivulet')).toBe(`rivulet-${OUR_VERSION}.tgz`);
});

it('--help and README.md name every template, and README.md every code with its exit code', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  for (const name of Object.keys(TEMPLATES)) {
    expect(HELP).toContain(`${name.padEnd(8)}${isTemplate(name) ? TEMPLATES[name].summary : ''}\n`);
    expect(readme).toMatch(new RegExp(`^\\| \`${name}\` \\|`, 'm'));
  }
  const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| (\d+) \|/gm)].map(([, code = '', exit]) => [code, Number(exit)]);
  expect(Object.fromEntries(rows)).toEqual(FAILURES);
});

describe('the versions in the templates', () => {
  const manifests = ['../../package.json', '../../../../package.json', '../../../client/package.json', '../../../sdk/package.json'];
  const read = (path: string) =>
    JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
      dependencies?: Record<string, string>;
      devDependencies: Record<string, string>;
    };

  it('are those with which this repository tests the templates', () => {
    const { devDependencies } = read('../../package.json');
    const others = Object.entries(devDependencies).filter(([name]) => !(name in OUR_PACKAGES));
    expect(Object.fromEntries(others)).toEqual(VERSIONS);
  });

  it('are those that the repository itself uses, wherever it uses them', () => {
    const used = manifests
      .map(read)
      .flatMap(({ dependencies, devDependencies }) => Object.entries({ ...dependencies, ...devDependencies }));
    const exact = used.filter(([name, version]) => name in VERSIONS && /^\d/.test(version));
    expect(exact.length).toBeGreaterThan(Object.keys(VERSIONS).length);
    expect(
      exact.filter(([name, version]) => Object.entries(VERSIONS).some(([ours, pinned]) => ours === name && pinned !== version)),
    ).toEqual([]);
  });

  it('name the packages that each package of Rivulet needs', () => {
    const folders = Object.keys(OUR_PACKAGES).map(
      (name) => [name, read(`../../../${name.replace('@rivulet/', '')}/package.json`)] as const,
    );
    const needed = folders.map(([name, { dependencies }]) => [
      name,
      Object.keys(dependencies ?? {}).filter((each) => each in OUR_PACKAGES),
    ]);
    expect(Object.fromEntries(needed)).toEqual(OUR_PACKAGES);
  });
});
