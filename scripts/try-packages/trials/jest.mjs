import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { output } from '../../packing/output.mjs';
import { ROOT } from '../../set-up/workspace.mjs';
import { install, versionOf } from '../packages.mjs';

/** @import { Trial } from './all.mjs' */

/**
 * The page test of docs/testing.md passes with jest too.
 *
 * @type {Trial['run']}
 */
export async function tryJest({ packed }) {
  const page = readFileSync(join(ROOT, 'docs/testing.md'), 'utf8');
  const [, , program = ''] = page.split(/^```js\n/m);
  const [test = ''] = program.split(/^```$/m);
  const files = {
    'page.test.mjs': test.replace("'vitest'", "'@jest/globals'"),
    'jest.config.json': '{"testMatch":["**/*.test.mjs"],"transform":{}}',
  };
  const ours = ['@rivulet/protocol', '@rivulet/client', '@rivulet/sdk', '@rivulet/engine'];
  const folder = await install(packed, 'jest', { ours, dependencies: { jest: '30', '@jest/globals': '30', ws: '8.23.0' }, files });
  await output(folder, 'npx', ['jest'], { NODE_OPTIONS: '--experimental-vm-modules' });
  return [`jest ${versionOf(folder, 'jest')} runs the test of docs/testing.md`];
}
