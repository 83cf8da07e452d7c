import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './child-process.mjs';
import { say } from './workspace.mjs';

/** @typedef {{ readonly name: string, readonly isThere: () => boolean, readonly purpose: string }} SystemPackage */

/**
 * Programs that the tests need besides npm packages.
 * @type {readonly SystemPackage[]}
 */
const PACKAGES = [
  {
    name: 'chromium',
    isThere: () => ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'].some(isOnPath),
    purpose: 'the tests in a real browser',
  },
  { name: 'strace', isThere: () => isOnPath('strace'), purpose: 'the tests that slow down or fail disk syncs' },
  { name: 'redis-server', isThere: () => isOnPath('redis-server'), purpose: 'the tests of the Redis store' },
  { name: 'haproxy', isThere: () => isOnPath('haproxy'), purpose: 'the tests of engines behind a load balancer' },
  { name: 'curl', isThere: () => isOnPath('curl'), purpose: 'the tests of the documented command lines' },
  { name: 'nginx', isThere: () => isOnPath('nginx'), purpose: 'the tests of reads through a cache' },
  { name: 'prometheus', isThere: () => isOnPath('promtool'), purpose: 'the tests of the alert rules' },
  { name: 'python3-venv', isThere: canMakeVenvs, purpose: 'the tests of the Python SDK' },
  { name: 'mmdebstrap', isThere: () => isOnPath('mmdebstrap'), purpose: 'the tests of the container image' },
  {
    name: 'debian-archive-keyring',
    isThere: () => existsSync('/usr/share/keyrings/debian-archive-keyring.gpg'),
    purpose: 'the tests of the container image',
  },
  { name: 'systemd', isThere: () => isOnPath('systemd-analyze'), purpose: 'the tests of the systemd unit' },
];

/**
 * Installs missing packages on Debian and its derivatives, as root. Otherwise it prints one line with the missing packages, and the tests
 * that need them fail.
 *
 * @param {string} root
 */
export async function ensureSystemPackages(root) {
  const missing = PACKAGES.filter(({ isThere }) => !isThere());
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const matter = missing.map(({ name, purpose }) => `${name} (for ${purpose})`).join(', ');
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) {
    say(`missing: ${matter}; install it and run again (Debian: apt-get install ${names.join(' ')})`);
    return;
  }
  say(`installing Debian packages: ${names.join(' ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const wait = ['-o', 'DPkg::Lock::Timeout=120'];
  const updated = await run('apt-get', ['update', '-qq', ...wait], { cwd: root, env });
  const installed =
    updated === 0
      ? await run('apt-get', ['install', '-qq', '-y', '--no-install-recommends', ...wait, ...names], { cwd: root, env })
      : updated;
  if (installed !== 0) say(`missing: ${matter}; apt-get failed with exit code ${installed}`);
}

/** Returns whether Python can make virtual environments. Debian has a separate package for this. */
function canMakeVenvs() {
  return spawnSync('python3', ['-c', 'import ensurepip, venv'], { stdio: 'ignore', timeout: 30_000 }).status === 0;
}

/**
 * @param {string} program
 * @returns {boolean}
 */
function isOnPath(program) {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}
