import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isBuilt, markBuilt, sourceFingerprint } from '../../set-up/build-stamp.mjs';
import { canAdopt, isInstalled, markInstalled } from '../../set-up/install-stamp.mjs';
import { deleteStaleOutputs } from '../../set-up/stale-outputs.mjs';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rivulet-set-up-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const packages = (versions: Record<string, object>) => JSON.stringify({ packages: versions });

it('a build deletes the outputs of deleted sources, and nothing else', () => {
  for (const path of ['src/kept.ts', 'src/view.tsx', 'src/deep/kept.ts']) write(`p/${path}`, '');
  const kept = ['kept.js', 'kept.d.ts', 'view.js.map', 'deep/kept.d.ts.map', 'tsconfig.tsbuildinfo', 'bundle/main.js'];
  for (const path of [...kept, 'gone.js', 'gone.js.map', 'deep/gone.d.ts', 'deep/gone.d.ts.map']) write(`p/dist/${path}`, '');
  deleteStaleOutputs(root, 'p');
  const left = readdirSync(join(root, 'p/dist'), { recursive: true, encoding: 'utf8' });
  expect(left.sort()).toEqual([...kept, 'bundle', 'deep'].sort());
});

describe('an installation', () => {
  it('is current until the lock file changes', () => {
    write('package-lock.json', packages({}));
    expect(isInstalled(root)).toBe(false);
    markInstalled(root);
    expect(isInstalled(root)).toBe(true);
    write('package-lock.json', packages({ 'node_modules/ws': { version: '8.0.0' } }));
    expect(isInstalled(root)).toBe(false);
  });

  it('made by hand is adopted when it holds what the lock file names', () => {
    write(
      'package-lock.json',
      packages({ '': {}, 'node_modules/ws': { version: '8.0.0' }, 'node_modules/fsevents': { version: '2.0.0', optional: true } }),
    );
    write('node_modules/.package-lock.json', packages({ 'node_modules/ws': { version: '8.0.0' } }));
    expect(canAdopt(root)).toBe(true);
  });

  it.each([
    ['misses a package', { 'node_modules/ws': { version: '8.0.0' } }, {}],
    ['holds another version', { 'node_modules/ws': { version: '8.0.0' } }, { 'node_modules/ws': { version: '7.0.0' } }],
    ['holds a package too many', {}, { 'node_modules/ws': { version: '8.0.0' } }],
  ])('is not adopted when it %s', (_matter, locked, installed) => {
    write('package-lock.json', packages(locked));
    write('node_modules/.package-lock.json', packages(installed));
    expect(canAdopt(root)).toBe(false);
  });

  it('made for another Node is not adopted', () => {
    write('package-lock.json', packages({}));
    write('node_modules/.package-lock.json', packages({}));
    write('node_modules/.rivulet/install', 'linux-x64 node-abi-1\nhash\n');
    expect(canAdopt(root)).toBe(false);
  });
});

describe('a build', () => {
  const project = 'packages/engine';

  beforeEach(() => {
    write(`${project}/src/engine.ts`, 'export {};\n');
    write(`${project}/tsconfig.json`, '{}\n');
    write(`${project}/dist/tsconfig.tsbuildinfo`, '{}\n');
    markBuilt(root, project, sourceFingerprint(root, project));
  });

  const fresh = () => isBuilt(root, project, sourceFingerprint(root, project));

  it('is fresh while nothing changes', () => {
    expect(fresh()).toBe(true);
  });

  it.each([
    ['a source is edited', () => utimesSync(join(root, project, 'src/engine.ts'), 1, 1)],
    ['a source is added', () => write(`${project}/src/core/call.ts`, '')],
    ['a source is removed', () => rmSync(join(root, project, 'src/engine.ts'))],
    ['the compiler options change', () => write(`${project}/tsconfig.json`, '{ "include": [] }\n')],
    ['dist is removed', () => rmSync(join(root, project, 'dist'), { recursive: true })],
  ])('is stale when %s', (_matter, change) => {
    change();
    expect(fresh()).toBe(false);
  });
});
