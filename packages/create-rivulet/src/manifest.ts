import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CreateFailure } from './failure.js';
import type { Template } from './templates.js';
import { type OtherPackage, OUR_PACKAGES, OUR_VERSION, type OurPackage, VERSIONS } from './versions.js';

/**
 * Returns the text of package.json. With a folder of tarballs, the dependencies of Rivulet are the files in it. Then the project also names
 * the packages that these need, because npm would look for them in the registry.
 */
export function manifestOf(name: string, template: Template, packages: string | undefined): string {
  const needed = packages === undefined ? [] : neededBy([...template.dependencies, ...template.devDependencies]);
  const direct = new Set<string>([...template.dependencies, ...template.devDependencies]);
  const versions = (names: readonly (OtherPackage | OurPackage)[]) =>
    Object.fromEntries([...names].sort().map((each) => [each, specifierOf(each, packages)]));
  const manifest = {
    name,
    version: '0.0.0',
    private: true,
    type: 'module',
    engines: { node: '>=20.19' },
    scripts: template.scripts,
    dependencies: versions([...template.dependencies, ...needed.filter((each) => !direct.has(each))]),
    devDependencies: versions(template.devDependencies),
  };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

function isOurs(name: string): name is OurPackage {
  return Object.hasOwn(OUR_PACKAGES, name);
}

/** Returns the packages of Rivulet that these packages need, directly or not. */
function neededBy(names: readonly string[]): readonly OurPackage[] {
  const needed = new Set<OurPackage>();
  for (const name of names.filter(isOurs)) for (const each of [...OUR_PACKAGES[name], ...neededBy(OUR_PACKAGES[name])]) needed.add(each);
  return [...needed];
}

function specifierOf(name: OtherPackage | OurPackage, packages: string | undefined): string {
  if (!isOurs(name)) return VERSIONS[name];
  if (packages === undefined) return OUR_VERSION;
  const file = join(resolve(packages), tarballOf(name));
  if (!existsSync(file))
    throw new CreateFailure('PACKAGE_NOT_FOUND', `${file} does not exist; give --packages the folder of the packed packages`);
  return `file:${file.replaceAll('\\', '/')}`;
}

/** Returns the name that `npm pack` gives to the file of a package. */
export function tarballOf(name: OurPackage): string {
  return `${name.replace('@', '').replace('/', '-')}-${OUR_VERSION}.tgz`;
}
