import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBundled } from '../set-up/engine-bundle.mjs';
import { ensureInspector } from '../set-up/inspector-bundle.mjs';
import { ROOT } from '../set-up/workspace.mjs';

/**
 * The global set-up of vitest. Tests start the engine from its bundle, which must have the code that the compiler has built last. It serves
 * the page, which must be of its newest sources.
 */
export default async function setUp() {
  if (existsSync(join(ROOT, 'packages/engine/dist/cli/main.js'))) await Promise.all([ensureBundled(ROOT), ensureInspector(ROOT)]);
}
