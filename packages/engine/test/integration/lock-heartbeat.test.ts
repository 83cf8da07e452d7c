import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { describe, expect, it, onTestFinished } from 'vitest';
import { takeDirectoryLock } from '../../src/store/lmdb/env/directory-lock.js';

const CHILD = fileURLToPath(new URL('../children/lock-child.mjs', import.meta.url));
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const problem = mountProblem();

/** Returns why this machine can't mount file systems in a namespace; `undefined` when it can. */
function mountProblem(): string | undefined {
  if (process.platform !== 'linux') return 'mount namespaces exist on Linux only';
  const { error, status, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', 'mount -t ramfs none /mnt'], { encoding: 'utf8' });
  if (error !== undefined) return `unshare does not run: ${error.message}`;
  return status === 0 ? undefined : `a file system can't be mounted: ${stderr.trim()}`;
}

/** Returns a directory on a file system that counts as shared, since it is not in the list of local ones. */
function sharedDirectory(): string {
  const root = directoryWith({ boot_id: '00000000-0000-4000-8000-000000000000\n' });
  const directory = join(root, 'shared');
  mkdirSync(directory);
  expect(spawnSync('mount', ['-t', 'ramfs', 'none', directory]).status).toBe(0);
  onTestFinished(() => {
    spawnSync('umount', ['--lazy', directory]);
  });
  return directory;
}

/** Takes the lock in a process that sees another boot id, as a process of another kernel would. */
async function takeElsewhere(directory: string): Promise<unknown> {
  const script = `mount --bind "$0" ${BOOT_ID} && exec "$1" "$2" "$3"`;
  const args = ['--mount', 'sh', '-c', script, join(directory, '../boot_id'), process.execPath, CHILD, directory];
  const { stdout } = await promisify(execFile)('unshare', args);
  // oxlint-disable-next-line eslint/no-restricted-properties -- written by the child process
  return JSON.parse(stdout);
}

describe.skipIf(problem !== undefined)(`a lock on a shared file system${problem === undefined ? '' : ` (skipped: ${problem})`}`, () => {
  it('is refused on another kernel while its file shows a heartbeat, and is free after a release', async () => {
    const directory = sharedDirectory();
    const lock = await takeDirectoryLock(directory);
    const [name = ''] = readdirSync(directory);
    expect(readFileSync(join(directory, name), 'utf8')).toContain('"beats":true');
    expect(await takeElsewhere(directory)).toContain(`is in use by process ${process.pid}`);
    expect(lock.isHeld).toBe(true);
    lock.release();
    expect(await takeElsewhere(directory)).toBe('taken');
  });
});
