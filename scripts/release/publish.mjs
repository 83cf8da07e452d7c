import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { output } from '../packing/output.mjs';
import { packInto } from '../packing/pack.mjs';
import { ROOT } from '../set-up/workspace.mjs';

/** Whether the registry has this version. @param {string} name @param {string} version */
async function isPublished(name, version) {
  try {
    // The level of `npm run --silent` would hide the code of the error.
    return (await output(ROOT, 'npm', ['view', `${name}@${version}`, 'version', '--loglevel=error'])).trim() === version;
  } catch (error) {
    if (String(error).includes('E404')) return false;
    throw error;
  }
}

/**
 * Returns the words after `npm`. `isFirst`: a maintainer publishes with a token, because npm trusts a workflow only for packages that
 * exist. npm can then give no provenance.
 *
 * @param {string} tarball @param {{ isDryRun: boolean, isFirst: boolean }} options
 * @returns {string[]}
 */
export function publishWords(tarball, { isDryRun, isFirst }) {
  const options = [...(isFirst ? ['--provenance=false'] : []), ...(isDryRun ? ['--dry-run'] : [])];
  return ['publish', tarball, '--ignore-scripts', ...options];
}

/**
 * Packs the packages and publishes them, each after those that it needs. It leaves out what the registry has already, so that a run after
 * a failure publishes the rest. The manifests ask for provenance, which npm can only give in a workflow with a token of OpenID Connect.
 *
 * @param {{ isDryRun: boolean, isFirst: boolean, report: (line: string) => void }} options
 */
export async function publishAll({ isDryRun, isFirst, report }) {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-release-'));
  try {
    for (const { name, version, tarball } of await packInto(folder)) {
      if (await isPublished(name, version)) {
        report(`${name} ${version} is on the registry already`);
        continue;
      }
      await output(ROOT, 'npm', publishWords(tarball, { isDryRun, isFirst }));
      report(`${name} ${version} ${isDryRun ? 'would be published' : 'is published'}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
