import { output } from '../../packing/output.mjs';
import { entriesOf, install } from '../packages.mjs';
import { FRAMEWORKS } from './page-sources.mjs';

/** @import { Trial } from './all.mjs' */

const OURS = ['@rivulet/protocol', '@rivulet/client', '@rivulet/sdk', '@rivulet/engine', '@rivulet/conformance', 'rivulet'];

/**
 * Node imports and requires every entry, and both give the same exports. The command of the engine starts.
 *
 * @type {Trial['run']}
 */
export async function tryNode({ packed }) {
  const folder = await install(packed, 'node', { ours: OURS, dependencies: FRAMEWORKS });
  const entries = entriesOf(folder, OURS).map(({ specifier }) => specifier);
  const program = `import { createRequire } from 'node:module';
const require = createRequire(process.cwd() + '/main.cjs');
for (const name of ${JSON.stringify(entries)}) {
  const [imported, required] = [await import(name), require(name)].map((all) => Object.keys(all).filter((key) => key !== '__esModule').sort().join());
  if (imported !== required) throw new Error(name + ': import gives ' + imported + ', require gives ' + required);
}
`;
  await output(folder, process.execPath, ['--input-type=module', '--eval', program]);
  const version = await output(folder, 'npx', ['--no', '--', 'rivulet', '--version']);
  return [
    `Node ${process.version} imports and requires ${entries.length} entries: ${entries.join(', ')}`,
    `npx rivulet --version: ${version.trim()}`,
  ];
}
