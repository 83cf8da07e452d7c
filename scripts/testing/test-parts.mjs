import { SetupError } from '../set-up/workspace.mjs';

/**
 * Test files whose result does not depend on the version of Node that runs `npm test`: deployments, other runtimes, upgrades, and the
 * documentation site. They need a Debian, packages of PyPI, Go, npm, and a build of an earlier commit, so CI runs them in one job.
 *
 * @type {readonly string[]}
 */
export const ONCE = [
  'scripts/test/integration/compose.test.ts',
  'scripts/test/integration/kubernetes.test.ts',
  'scripts/test/integration/systemd.test.ts',
  'scripts/test/system/container.test.ts',
  'scripts/test/system/site.test.ts',
  'scripts/test/system/runtimes.test.ts',
  'scripts/test/system/upgrades.test.ts',
];

/** A part of the gate: everything, everything except `ONCE`, or `ONCE` alone. @typedef {'all' | 'versions' | 'once'} Part */

/**
 * Reads the words after `npm test --`: `--part PART` comes first, if it is there. Returns the part and the words for vitest. `isFiltered`:
 * the words choose some of the tests.
 *
 * @param {readonly string[]} words
 * @returns {{ part: Part, vitest: readonly string[], isFiltered: boolean }}
 */
export function readPart(words) {
  const [option, part, ...rest] = words;
  if (option !== '--part') return { part: 'all', vitest: words, isFiltered: words.length > 0 };
  const isFiltered = rest.length > 0;
  if (part === 'all') return { part, vitest: rest, isFiltered };
  if (part === 'versions') return { part, vitest: [...ONCE.flatMap((file) => ['--exclude', file]), ...rest], isFiltered };
  if (part === 'once') return { part, vitest: [...ONCE, ...rest], isFiltered: true };
  throw new SetupError('--part takes all, versions or once');
}
