import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../set-up/workspace.mjs';

const run = promisify(execFile);
/** Most bytes of one tarball. */
const MOST_BYTES = 268_435_456;

/**
 * A registry on loopback that has the packages of other projects from `node_modules` of this repository, in their installed versions. npm
 * installs from it without a network. `asked` has the name of each package that npm asked for, so that a test sees what came from where.
 *
 * @typedef {{ url: string, asked: ReadonlySet<string>, close: () => Promise<void> }} LocalRegistry
 */

/** @returns {Promise<LocalRegistry>} */
export async function startLocalRegistry() {
  const packages = installedPackages(join(ROOT, 'node_modules'));
  /** @type {Set<string>} */
  const asked = new Set();
  let url = '';
  const server = createServer((request, response) => {
    const [, name = '', version] = /^\/((?:@[^/]+\/)?[^/]+)(?:\/-\/(.+)\.tgz)?$/.exec(decodeURIComponent(request.url ?? '')) ?? [];
    asked.add(name);
    const versions = packages.get(name);
    const folder = versions?.get(version ?? '');
    if (folder !== undefined) {
      tarballOf(folder).then(
        (bytes) => response.end(bytes),
        (error) => response.writeHead(500).end(String(error)),
      );
    } else if (versions === undefined || version !== undefined) response.writeHead(404).end('{}');
    else response.setHeader('content-type', 'application/json').end(JSON.stringify(documentOf(url, name, versions)));
  });
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(undefined));
  });
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url, asked, close };
}

/**
 * Returns the folders of all installed packages of other projects, by name and version.
 *
 * @param {string} modules a folder `node_modules`
 * @param {Map<string, Map<string, string>>} found
 */
function installedPackages(modules, found = new Map()) {
  const scoped = (/** @type {string} */ name) => readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`);
  const entries = readdirSync(modules, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
  for (const path of entries.flatMap(({ name }) => (name.startsWith('@') ? scoped(name) : [name]))) {
    const folder = join(modules, path);
    if (!existsSync(join(folder, 'package.json'))) continue;
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    // Links lead to packages of this repository, which no registry has.
    if (!name.startsWith('@rivulet/') && name !== 'rivulet') found.set(name, (found.get(name) ?? new Map()).set(version, folder));
    if (existsSync(join(folder, 'node_modules'))) installedPackages(join(folder, 'node_modules'), found);
  }
  return found;
}

/** @param {string} url @param {string} name @param {ReadonlyMap<string, string>} versions */
function documentOf(url, name, versions) {
  const manifests = [...versions].map(([version, folder]) => {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return [version, { ...manifest, dist: { tarball: `${url}/${name}/-/${version}.tgz` } }];
  });
  return { name, 'dist-tags': { latest: [...versions.keys()].at(-1) }, versions: Object.fromEntries(manifests) };
}

/** Returns the files of a package. npm reads an archive without compression too. @param {string} folder @returns {Promise<Buffer>} */
async function tarballOf(folder) {
  const args = ['-cf', '-', '--exclude=*/node_modules', '-C', dirname(folder), basename(folder)];
  const { stdout } = await run('tar', args, { encoding: 'buffer', maxBuffer: MOST_BYTES });
  return stdout;
}
