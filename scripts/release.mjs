import './set-up/node-version.mjs';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { manifestOf, PUBLISHED, PUBLISHED_PROJECTS } from './packing/published.mjs';
import { readChangesets, sectionOf } from './release/changelog.mjs';
import { releaseProblems } from './release/checks.mjs';
import { publishAll } from './release/publish.mjs';
import { repositoryUrl, setRepositoryUrl } from './release/repository.mjs';
import { raiseVersions } from './release/versions.mjs';
import { ensureBuilt, ensureInstalled, fail, ROOT, SetupError } from './set-up/workspace.mjs';

// Runs `npm run release -- STEP`. CONTRIBUTING.md has the steps of a release in order, and explains `version`, `check`, `publish` and
// `repository URL`. `notes` prints what CHANGELOG.md says about the version.

const options = /** @type {const} */ ({
  tag: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
  first: { type: 'boolean', default: false },
});
const { positionals, values } = parseArgs({ options, allowPositionals: true });
const report = (/** @type {string} */ line) => process.stdout.write(`${line}\n`);

const readChangelog = () => readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');

function problems() {
  const changesets = readChangesets(join(ROOT, '.changeset'));
  const release = { repository: repositoryUrl(), manifests: PUBLISHED.map(manifestOf), changesets, changelog: readChangelog() };
  return releaseProblems(values.tag === undefined ? release : { ...release, tag: values.tag });
}

/** @param {string | undefined} step @param {string | undefined} word */
async function run(step, word) {
  await ensureInstalled(ROOT);
  if (step === 'version') {
    report(await raiseVersions(new Date().toISOString().slice(0, 10)));
  } else if (step === 'check') {
    const found = problems();
    for (const line of found) report(line);
    if (found.length > 0) throw new SetupError(`${found.length} problems`);
  } else if (step === 'notes') {
    report(sectionOf(readChangelog(), manifestOf('engine').version));
  } else if (step === 'publish') {
    if (!values['dry-run'] && problems().length > 0) throw new SetupError('npm run release -- check finds problems');
    await ensureBuilt(ROOT, PUBLISHED_PROJECTS);
    await publishAll({ isDryRun: values['dry-run'], isFirst: values.first, report });
  } else if (step === 'repository' && word !== undefined) {
    setRepositoryUrl(word);
  } else throw new SetupError('name a step: version, check, notes, publish or repository URL');
}

try {
  await run(positionals[0], positionals[1]);
} catch (error) {
  fail(error);
}
