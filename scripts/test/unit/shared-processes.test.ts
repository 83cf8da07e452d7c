import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../../set-up/workspace.mjs';

/** Calls that replace a module. They change nothing in a file whose process has loaded that module for an earlier file. */
const REPLACES_MODULES = /\bvi\.(?:mock|doMock|unmock|doUnmock)\(/;

/** Returns the unit test files of the repository. `git` lists new files too. */
function unitTests(): readonly string[] {
  const words = ['ls-files', '--cached', '--others', '--exclude-standard', '--', '*/test/unit/*.test.ts', '*/test/unit/*.test.tsx'];
  return execFileSync('git', words, { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(Boolean);
}

// Unit test files share processes. There a replaced module depends on the order of the files, so such a test fails now and then.
it('no unit test replaces a module: such a test needs a process of its own, in the integration tier', () => {
  const files = unitTests();
  expect(files.length).toBeGreaterThan(100);
  const replacing = files.filter((file) => !file.endsWith('/shared-processes.test.ts') && REPLACES_MODULES.test(contentOf(file)));
  expect(replacing).toEqual([]);
});

function contentOf(file: string): string {
  try {
    return readFileSync(join(ROOT, file), 'utf8');
  } catch {
    // A deleted file stays in the list of git until the next commit.
    return '';
  }
}
