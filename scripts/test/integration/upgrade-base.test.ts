import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { baseCommit } from '../../upgrades/base.mjs';

const folder = mkdtempSync(join(tmpdir(), 'rivulet-upgrade-base-'));
const full = join(folder, 'full');

const git = (...words: readonly string[]) => {
  const who = ['-c', 'user.name=Test', '-c', 'user.email=test@localhost', '-c', 'commit.gpgsign=false'];
  return execFileSync('git', [...who, ...words], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
};

beforeAll(() => {
  mkdirSync(join(full, 'packages'), { recursive: true });
  git('init', '--quiet', full);
  for (const text of ['first', 'second']) {
    writeFileSync(join(full, 'packages/file'), text);
    git('-C', full, 'add', '.');
    git('-C', full, 'commit', '--quiet', '--message', text);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

describe('the commit from which `npm test` upgrades', () => {
  it('is the one before in a clone that lacks the commit of the last release', () => {
    expect(baseCommit(full)).toEqual({ commit: git('-C', full, 'rev-parse', 'HEAD^') });
  });

  it('is missing in a shallow clone, with the command that fetches the history', () => {
    const shallow = join(folder, 'shallow');
    git('clone', '--quiet', '--depth', '1', `file://${full}`, shallow);
    expect(baseCommit(shallow)).toEqual({ missing: expect.stringContaining('git fetch --unshallow') });
    git('-C', shallow, 'fetch', '--quiet', '--unshallow');
    expect(baseCommit(shallow)).toEqual({ commit: git('-C', full, 'rev-parse', 'HEAD^') });
  });

  it('is missing outside of a clone', () => {
    mkdirSync(join(folder, 'none'));
    expect(baseCommit(join(folder, 'none'))).toHaveProperty('missing');
  });
});
