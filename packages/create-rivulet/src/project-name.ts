import { basename, resolve } from 'node:path';
import { CreateFailure } from './failure.js';
import { OUR_PACKAGES, VERSIONS } from './versions.js';

const MOST_CHARACTERS = 214;
const RESERVED = new Set<string>(['node_modules', 'favicon.ico', ...Object.keys(VERSIONS), ...Object.keys(OUR_PACKAGES)]);

/** Returns the name of the package in a directory. `My App` gives `my-app`. Throws `INVALID_NAME` if npm would refuse the name. */
export function projectName(directory: string): string {
  const last = basename(resolve(directory));
  const name = last.toLowerCase().replaceAll(/\s+/g, '-');
  const wrong = problemOf(name);
  if (wrong !== undefined)
    throw new CreateFailure('INVALID_NAME', `"${last}" can't be the name of a package: ${wrong}; choose another directory`);
  return name;
}

function problemOf(name: string): string | undefined {
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name)) return 'it needs letters a to z, digits, ".", "_" and "-", and begins with a letter or digit';
  if (name.length > MOST_CHARACTERS) return `it has more than ${MOST_CHARACTERS} characters`;
  return RESERVED.has(name) ? 'the name is taken by a package that the project uses, or reserved' : undefined;
}
