import { output } from '../../packing/output.mjs';
import { install, versionOf } from '../packages.mjs';

/** @import { Trial } from './all.mjs' */

/**
 * Packages whose users are modules: `require` gives them, but TypeScript sees no types of CommonJS. An application of CommonJS uses the
 * client and the SDK.
 */
const MODULES = ['@rivulet/protocol', '@rivulet/engine', '@rivulet/conformance'];

/** `publint` and `attw` find nothing in the tarballs. @type {Trial['run']} */
export async function tryTypes({ packed }) {
  const folder = await install(packed, 'types', { ours: [], dependencies: { '@arethetypeswrong/cli': '~0.18.0', publint: '~0.3.0' } });
  for (const [name, tarball] of packed.tarballs) {
    // The docs name the three ways of resolution that work. The old `node10` is none of them.
    const profile = MODULES.includes(name) ? 'esm-only' : 'node16';
    // The connection is a part for the SDK, which is a module. The command and the schema have no exports.
    const excluded = ['--exclude-entrypoints', 'connection', 'command', 'config.schema.json'];
    // A package without entries has no types.
    if (name !== 'rivulet') await output(folder, 'npx', ['attw', tarball, '--profile', profile, '--no-emoji', ...excluded]);
    await output(folder, 'npx', ['publint', tarball, '--strict']);
  }
  const [attw, publint] = ['@arethetypeswrong/cli', 'publint'].map((name) => versionOf(folder, name));
  return [`attw ${attw} and publint ${publint} find nothing in ${[...packed.tarballs.keys()].join(', ')}`];
}
