import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DirectoryLock, LockLostError, takeDirectoryLock } from '../../src/store/lmdb/env/directory-lock.js';
import { LmdbEnvironment } from '../../src/store/lmdb/env/environment.js';

let directory: string;
const locks: DirectoryLock[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-lock-'));
});

afterEach(() => {
  for (const lock of locks.splice(0)) lock.release();
  rmSync(directory, { recursive: true, force: true });
});

async function take(path = directory, waitMs = 0): Promise<DirectoryLock> {
  const lock = await takeDirectoryLock(path, { waitMs });
  locks.push(lock);
  return lock;
}

const openFiles = () =>
  readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return [];
    }
  });

const lockFiles = (path = directory) => readdirSync(path).filter((name) => name.startsWith('rivulet-store.lock'));

describe('the lock of a directory on the disk', () => {
  it('refuses a second owner, also in the same process, and leaves no files behind', async () => {
    const lock = await take();
    await expect(take()).rejects.toThrow(
      `${directory} is in use by process ${process.pid} on ${hostname()}; stop that engine, or give this one a directory of its own`,
    );
    expect(lock.isHeld).toBe(true);
    expect(lockFiles()).toHaveLength(2);
    lock.release();
    lock.release();
    expect(lockFiles()).toEqual([]);
    expect(lock.isHeld).toBe(false);
    expect((await take()).isHeld).toBe(true);
  });

  it('goes to exactly one of many that start at once', async () => {
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => take()));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(lockFiles()).toHaveLength(2);
  });

  it('works in a directory whose path is too long for a socket', async () => {
    const long = join(directory, 'd'.repeat(120), 'e'.repeat(120));
    mkdirSync(long, { recursive: true });
    const lock = await take(long);
    await expect(take(long)).rejects.toThrow('is in use by process');
    lock.release();
    expect(readdirSync(long)).toEqual([]);
    await take(long);
  });

  it('goes to a waiting process when its holder releases it', async () => {
    const first = await take();
    let waits = '';
    const second = takeDirectoryLock(directory, {
      waitMs: 60_000,
      onWait: ({ pid }) => {
        waits += `${pid} `;
        first.release();
      },
    });
    locks.push(await second);
    expect(waits).toBe(`${process.pid} `);
  });

  it('is waited for no longer than allowed, and until a signal', async () => {
    await take();
    await expect(take(directory, 100)).rejects.toThrow('after 100 ms; stop that engine');
    const stop = new AbortController();
    await expect(takeDirectoryLock(directory, { waitMs: 60_000, signal: stop.signal, onWait: () => stop.abort() })).rejects.toThrow(
      'aborted',
    );
    expect(lockFiles()).toHaveLength(2);
  });

  it('is lost when its file is removed, and its release leaves the next owner alone', async () => {
    const first = await take();
    for (const file of lockFiles()) rmSync(join(directory, file));
    const second = await take();
    expect(first.isHeld).toBe(false);
    expect(() => first.requireHeld()).toThrow(LockLostError);
    first.release();
    expect(second.isHeld).toBe(true);
    await expect(take()).rejects.toThrow('is in use');
  });

  it('removes what killed processes left, and takes a damaged lock for a dead one', async () => {
    const token = (digit: string) => `rivulet-store.lock-${digit.repeat(16)}`;
    writeFileSync(join(directory, `${token('a')}.new`), '');
    writeFileSync(join(directory, `${token('b')}.sock`), '');
    writeFileSync(join(directory, token('c')), '\0'.repeat(100));
    const alive = createServer().listen(join(directory, `${token('d')}.sock`));
    await take();
    expect(lockFiles().filter((name) => /([abcd])\1{15}/.test(name))).toEqual([`${token('d')}.sock`]);
    alive.close();
  });

  it('is not taken from a living process whose lock file is damaged', async () => {
    const lock = await take();
    const [file = ''] = lockFiles().filter((name) => !name.endsWith('.sock'));
    for (const content of ['', '\0'.repeat(100), 'hello']) {
      writeFileSync(join(directory, file), content);
      await expect(take()).rejects.toThrow('in use by a process whose lock file is damaged; stop that engine');
    }
    expect(lock.isHeld).toBe(true);
    lock.release();
    expect((await take()).isHeld).toBe(true);
  });

  it('follows its directory to another name', async () => {
    const lock = await take();
    const moved = `${directory}-moved`;
    renameSync(directory, moved);
    try {
      await expect(take(moved)).rejects.toThrow('is in use by process');
      expect(lock.isHeld).toBe(false);
    } finally {
      renameSync(moved, directory);
    }
    expect(lock.isHeld).toBe(true);
  });

  it('names the directory when it cannot be written', async () => {
    await expect(take('/proc/self')).rejects.toThrow(/\/proc\/self/);
    expect(openFiles().filter((file) => file === '/proc/self')).toEqual([]);
  });
});

describe('an environment that has lost its lock', () => {
  const open = () => LmdbEnvironment.open({ path: directory, relaxed: false, tables: ['t'] });
  const key = Buffer.from('key');

  it('writes nothing any more, and its close leaves the directory to the next owner', async () => {
    const environment = await open();
    const table = environment.table('t');
    await environment.transaction(() => table.put(key, Buffer.from('1')));
    for (const file of lockFiles()) rmSync(join(directory, file));
    const next = await take();
    let hasRun = false;
    const write = () => {
      hasRun = true;
      table.put(key, Buffer.from('2'));
    };
    await expect(environment.transaction(write)).rejects.toThrow(LockLostError);
    expect(hasRun).toBe(false);
    await environment.close(write);
    expect(hasRun).toBe(false);
    expect(next.isHeld).toBe(true);
  });

  it('is closed and unlocked when it cannot be opened', async () => {
    mkdirSync(join(directory, 'rivulet-store.json.new'));
    await expect(open()).rejects.toThrow('EISDIR');
    expect(lockFiles()).toEqual([]);
    expect(openFiles().filter((file) => file.startsWith(directory) && file.endsWith('.mdb'))).toEqual([]);
    rmSync(join(directory, 'rivulet-store.json.new'), { recursive: true });
    await (await open()).close(undefined);
  });
});
