import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folderOf, manifestOf, PUBLISHED } from '../../packing/published.mjs';
import { readChangesets, releasedChangelog, sectionOf } from '../../release/changelog.mjs';
import { releaseProblems } from '../../release/checks.mjs';
import { publishWords } from '../../release/publish.mjs';
import { repositoryUrl } from '../../release/repository.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('CHANGELOG.md after a release', () => {
  const changesets = [
    { summary: 'A change of two packages.', packages: ['@rivulet/sdk', 'rivulet'] },
    { summary: 'word '.repeat(40).trim(), packages: ['rivulet'] },
  ];

  it('has the lines of the changesets and of "Unreleased" below the new version, above the older ones', () => {
    const text = '# Changes\n\n## Unreleased\n\nNo version yet.\n\n### Added\n\n- A line.\n\n## 0.1.0 (2026-01-01)\n\n- Old.\n';
    const released = releasedChangelog(text, '0.2.0', '2026-12-01', changesets.slice(0, 1));
    expect(released).toBe(
      '# Changes\n\n## Unreleased\n\n## 0.2.0 (2026-12-01)\n\n- A change of two packages. (`@rivulet/sdk`, `rivulet`)\n\n### Added\n\n- A line.\n\n## 0.1.0 (2026-01-01)\n\n- Old.\n',
    );
    const again = releasedChangelog(released, '0.3.0', '2027-01-01', changesets.slice(0, 1));
    expect(again.match(/^## .*$/gm)).toEqual(['## Unreleased', '## 0.3.0 (2027-01-01)', '## 0.2.0 (2026-12-01)', '## 0.1.0 (2026-01-01)']);
    expect(again.match(/^- A line\.$/gm)).toHaveLength(1);
    expect(sectionOf(again, '0.2.0')).toBe('- A change of two packages. (`@rivulet/sdk`, `rivulet`)\n\n### Added\n\n- A line.');
  });

  it('keeps to the width of the documents', () => {
    const released = releasedChangelog('## Unreleased\n', '0.2.0', '2026-12-01', changesets);
    expect(Math.max(...released.split('\n').map((line) => line.length))).toBeLessThanOrEqual(140);
    expect(released.replaceAll(/\s+/g, ' ')).toContain(changesets[1]?.summary);
    expect(() => releasedChangelog('# Changes\n', '0.2.0', '2026-12-01', changesets)).toThrow('Unreleased');
  });

  it('can be written from the changesets and the changelog of now', () => {
    const now = readChangesets(join(ROOT, '.changeset'));
    const names = PUBLISHED.map((name) => manifestOf(name).name);
    for (const { summary, packages } of now) {
      expect(summary).not.toBe('');
      expect(packages.length).toBeGreaterThan(0);
      expect(packages.filter((name) => !names.includes(name))).toEqual([]);
    }
    const released = releasedChangelog(read('CHANGELOG.md'), '9.9.9', '2026-12-01', now);
    expect(released.indexOf('## 9.9.9 (2026-12-01)')).toBeGreaterThan(released.indexOf('## Unreleased'));
  });
});

describe('a release', () => {
  const manifests = PUBLISHED.map((name) => ({ ...manifestOf(name), version: '1.0.0' }));
  const good = { repository: 'https://github.com/o/r', manifests, changesets: [], changelog: '\n## 1.0.0 (2026-12-01)\n', tag: 'v1.0.0' };

  it('can be published when everything fits', () => {
    expect(releaseProblems(good)).toEqual([]);
  });

  it.each([
    ['https://github.example/rivulet/rivulet is a placeholder', { repository: 'https://github.example/rivulet/rivulet' }],
    ['is private', { manifests: [...manifests.slice(1), { ...manifests[0], private: true }] as typeof manifests }],
    ['has version 0.9.0, not 1.0.0', { manifests: [...manifests, { ...manifests[0], version: '0.9.0' }] as typeof manifests }],
    ['1 changesets are not released', { changesets: [{ summary: 's', packages: ['rivulet'] }] }],
    ['CHANGELOG.md has no section for 1.0.0', { changelog: '## Unreleased\n' }],
    ['the tag is v1.0.1', { tag: 'v1.0.1' }],
  ])('is refused: %s', (problem, change) => {
    expect(releaseProblems({ ...good, ...change })).toEqual([expect.stringContaining(problem)]);
  });

  it('comes from a workflow that has no token of npm, with the actions that the gate uses', () => {
    const release = read('.github/workflows/release.yml');
    expect(release).toContain('id-token: write');
    expect(release).toContain("vars.RELEASES == 'on'");
    expect(release).not.toMatch(/secrets\.|NODE_AUTH_TOKEN|NPM_TOKEN/);
    // A tag of an action can move; a commit cannot.
    for (const text of [release, read('.github/workflows/ci.yml')])
      for (const [, action = ''] of text.matchAll(/uses: ([^.].*)$/gm))
        expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    const actions = (text: string) => [...text.matchAll(/uses: (actions\/\S+)/g)].map(([, action]) => action);
    expect(actions(release).length).toBeGreaterThan(0);
    expect(actions(read('.github/workflows/ci.yml'))).toEqual(expect.arrayContaining(actions(release)));
    const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts);
    for (const [, script = ''] of release.matchAll(/npm run ([\w:-]+)/g)) expect(scripts).toContain(script);
  });
});

describe('npm publish', () => {
  it('leaves provenance to the manifests, and runs no script of a package', () => {
    expect(publishWords('a.tgz', { isDryRun: false, isFirst: false })).toEqual(['publish', 'a.tgz', '--ignore-scripts']);
    expect(publishWords('a.tgz', { isDryRun: true, isFirst: false })).toEqual(['publish', 'a.tgz', '--ignore-scripts', '--dry-run']);
  });

  it('gives no provenance when a maintainer publishes for the first time', () => {
    expect(publishWords('a.tgz', { isDryRun: false, isFirst: true })).toEqual([
      'publish',
      'a.tgz',
      '--ignore-scripts',
      '--provenance=false',
    ]);
    expect(read('CONTRIBUTING.md')).toContain('npm run release -- publish --first');
    expect(read('.github/workflows/release.yml')).not.toContain('--first');
  });
});

describe('the URL of the repository', () => {
  const url = repositoryUrl();

  it.each(PUBLISHED)('is the same in the manifest of %s', (name) => {
    expect(JSON.parse(readFileSync(join(folderOf(name), 'package.json'), 'utf8'))).toMatchObject({
      homepage: `${url}/tree/main/packages/${name}#readme`,
      bugs: `${url}/issues`,
      repository: { type: 'git', url: `git+${url}.git`, directory: `packages/${name}` },
      publishConfig: { access: 'public', provenance: true },
      license: 'Apache-2.0',
      engines: { node: '>=20.19' },
    });
  });

  it.each(PUBLISHED)('begins each link in the README of %s, or the link stays in the package', (name) => {
    const readme = readFileSync(join(folderOf(name), 'README.md'), 'utf8');
    const links = [...readme.matchAll(/\]\(([^)]+)\)|^\[[^\]]+\]: (\S+)$/gm)].map(([, inline, reference]) => inline ?? reference ?? '');
    const lost = links.filter((link) => {
      const [path = ''] = link.split('#');
      if (path.startsWith(`${url}/blob/main/`)) return !existsSync(join(ROOT, path.slice(`${url}/blob/main/`.length)));
      return !/^[\w./-]+$/.test(path) || path.includes('..') || !existsSync(join(folderOf(name), path));
    });
    expect(lost).toEqual([]);
    // Each reference of the text has its address at the end.
    const defined = new Set([...readme.matchAll(/^\[([^\]]+)\]: /gm)].map(([, text]) => text));
    const used = [...readme.replaceAll(/```[\s\S]*?```/g, '').matchAll(/(?<!^)\[([^\]`]+)\](?![(:])/gm)].map(([, text]) => text);
    expect(used.filter((text) => !defined.has(text))).toEqual([]);
  });
});
