import { readdirSync, readFileSync, statSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureBundled } from '../../set-up/engine-bundle.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

const BUNDLE = join(ROOT, 'packages/engine/dist/bundle');

test('the bundle of the engine imports nothing but Node, LMDB and the client of Redis', () => {
  const imported = readdirSync(BUNDLE)
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) => [...readFileSync(join(BUNDLE, name), 'utf8').matchAll(/^import .*?from ?"([^"]+)";$|\bimport\("([^"]+)"\)/gm)])
    .map(([, named, dynamic]) => named ?? dynamic ?? '')
    .filter((name) => !name.startsWith('node:') && !name.startsWith('./'));
  expect(new Set(imported.filter((name) => !builtinModules.includes(name)))).toEqual(new Set(['lmdb', '@redis/client']));
});

/** Returns the files of the bundle that a file loads at once, with those that they load. */
function loadedBy(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file)) return found;
  found.add(file);
  if (!file.startsWith('./')) return found;
  const text = readFileSync(join(BUNDLE, file), 'utf8');
  for (const [, name = ''] of text.matchAll(/^(?:import|export) (?:.*?from ?)?"([^"]+)";$/gm)) loadedBy(name, found);
  return found;
}

const RUNNING = ['get', 'set', 'update', 'delete', 'list', 'watch', 'send', 'call', 'streams', 'groups', 'sessions', 'top', 'disconnect'];

test.each(RUNNING)('%s loads no engine, no store and no configuration', (name) => {
  const file = readdirSync(BUNDLE).find((each) => each.startsWith(`${name}-`)) ?? '';
  const loaded = [...loadedBy('./rivulet.js'), ...loadedBy(`./${file}`)];
  expect(loaded).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(?:lmdb|@redis)|start|config|store|environment/)]));
  const bytes = [...new Set(loaded)].filter((each) => each.startsWith('./')).map((each) => statSync(join(BUNDLE, each)).size);
  expect(bytes.length).toBeGreaterThan(5);
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(600_000);
});

test('the bundle has the license of each package whose code it contains', () => {
  const notices = readFileSync(join(BUNDLE, 'THIRD-PARTY-NOTICES.txt'), 'utf8');
  const packages = [...notices.matchAll(/^(\S+) \d\S* \((.*)\)\n\n(.*)$/gm)].map(([, name, license, first]) => ({ name, license, first }));
  expect(packages.map(({ name }) => name)).toEqual(expect.arrayContaining(['commander', 'pino', 'ws', 'yaml', 'zod']));
  for (const { license, first } of packages) {
    expect(license).toMatch(/^(?:MIT|ISC|BSD-3-Clause|Apache-2\.0)$/);
    expect(first).not.toBe('');
  }
});

test('the engine is bundled again only after a change', async () => {
  const file = join(BUNDLE, 'THIRD-PARTY-NOTICES.txt');
  await ensureBundled(ROOT);
  const { mtimeMs } = statSync(file);
  await ensureBundled(ROOT);
  expect(statSync(file).mtimeMs).toBe(mtimeMs);
});
