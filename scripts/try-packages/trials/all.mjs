import { tryFirstSteps } from './first-steps.mjs';
import { tryJest } from './jest.mjs';
import { tryNext } from './next.mjs';
import { tryNode } from './node.mjs';
import { tryTypes } from './types.mjs';
import { tryTypeScript } from './typescript.mjs';
import { tryVite } from './vite.mjs';
import { tryWebpack } from './webpack.mjs';

/** @import { Backend } from '../backend.mjs' */
/** @import { Browser } from '../browser.mjs' */
/** @import { Packed } from '../packages.mjs' */

/**
 * A use of the packages in a project of its own. It returns lines about what works, and throws otherwise.
 *
 * @typedef {{ name: string, run: (context: { packed: Packed, backend: Backend, browser: Browser }) => Promise<readonly string[]> }} Trial
 */

/** @type {readonly Trial[]} */
export const TRIALS = [
  { name: 'node', run: tryNode },
  { name: 'types', run: tryTypes },
  { name: 'typescript', run: tryTypeScript },
  { name: 'vite', run: tryFirstSteps('vite') },
  { name: 'vite-entries', run: tryVite },
  { name: 'webpack', run: tryWebpack },
  { name: 'next', run: tryFirstSteps('next') },
  { name: 'next-server', run: tryNext },
  { name: 'esm', run: tryFirstSteps('esm') },
  { name: 'commonjs', run: tryFirstSteps('commonjs') },
  { name: 'jest', run: tryJest },
];
