import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

/** Returns the dependencies of one package.json, without our own packages. An alias such as `iii-sdk-0.3.0` counts as its target. */
function dependenciesOf(path: string): string[] {
  const manifest: { dependencies?: Record<string, string>; devDependencies?: Record<string, string> } = JSON.parse(
    readFileSync(join(ROOT, path), 'utf8'),
  );
  return Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    .map(([name, version]) => /^npm:(.+)@[^@]+$/.exec(version)?.[1] ?? name)
    .filter((name) => !name.startsWith('@rivulet/') && !UNSCOPED.includes(name));
}

/** Names of our packages without a scope. */
const UNSCOPED = ['rivulet', 'create-rivulet'];

const manifests = ['package.json', 'bench/package.json', 'site/package.json', ...inside('packages'), ...inside('examples')];

function inside(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}/package.json`);
}

describe('CONTRIBUTING.md', () => {
  const text = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const dependencies = text.slice(text.indexOf('## Dependencies'));
  const listed = [...dependencies.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);

  it('says of every dependency why it is here, and of nothing else', () => {
    const used = new Set(manifests.flatMap(dependenciesOf));
    expect([...listed].sort()).toEqual([...used].sort());
  });

  it('names only scripts that package.json has', () => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const named = [...text.matchAll(/npm (?:run ([a-z:-]+)|(start|test)\b)/g)].map(([, run, alone]) => run ?? alone ?? '');
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});
