import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folderOf, manifestOf, PUBLISHED } from '../packing/published.mjs';
import { ROOT, runNpm, runTool, SetupError } from '../set-up/workspace.mjs';
import { readChangesets, releasedChangelog } from './changelog.mjs';

const CHANGESETS = join(ROOT, '.changeset');
const CHANGELOG = join(ROOT, 'CHANGELOG.md');
const ENGINE_VERSION = 'packages/engine/src/config/engine-version.ts';

/** Replaces text of a file of the repository. @param {string} path @param {(text: string) => string} change */
function edit(path, change) {
  const file = join(ROOT, path);
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

/**
 * Raises the versions as the changesets say, writes CHANGELOG.md from them, and deletes them. Returns the new version.
 *
 * @param {string} date of the release, such as 2026-12-01
 */
export async function raiseVersions(date) {
  const changesets = readChangesets(CHANGESETS);
  if (changesets.length === 0) throw new SetupError('there is no changeset: nothing has changed since the last release');
  if ((await runTool(ROOT, '@changesets/cli/bin.js', ['version'])) !== 0) throw new SetupError('changeset version failed; see above');
  const { version } = manifestOf('engine');
  writeFileSync(CHANGELOG, releasedChangelog(readFileSync(CHANGELOG, 'utf8'), version, date, changesets));
  edit(ENGINE_VERSION, (text) => text.replace(/'[^']+'/, `'${version}'`));
  edit('package.json', (text) => text.replace(/"version": "[^"]+"/, `"version": "${version}"`));
  // The parts of one release are made for each other.
  for (const name of PUBLISHED) {
    const path = join(folderOf(name), 'package.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"@rivulet\/engine": ">=[^"]+"/, `"@rivulet/engine": ">=${version}"`));
  }
  await runTool(ROOT, '@biomejs/biome/bin/biome', ['check', '--write', '--linter-enabled=false', '.']);
  if ((await runNpm(ROOT, ['install', '--package-lock-only', '--ignore-scripts'])) !== 0)
    throw new SetupError('npm install failed; see above');
  return version;
}
