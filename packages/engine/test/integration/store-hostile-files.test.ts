import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GROUP } from '@rivulet/conformance/store-contract/factory';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkCommand } from '../../src/cli/store/check.js';
import { salvageCommand } from '../../src/cli/store/salvage.js';
import { silentLogger } from '../../src/logging/logger.js';
import { createLmdbStore } from '../../src/store/lmdb/lmdb-store.js';

const DATA = 'data.mdb';
const MARKER = 'rivulet-store.json';
const LOCK = 'rivulet-store.lock-0123456789abcdef';
const CLOCK = { now: Date.now, monotonic: () => performance.now() };

/** Starts a store as a user who owns nothing, and prints the error. */
const START = `
import { createLmdbStore } from ${JSON.stringify(new URL('../../dist/stores.js', import.meta.url).href)};
const silent = () => {};
const logger = { debug: silent, info: silent, warn: silent, error: silent };
const clock = { now: Date.now, monotonic: () => performance.now() };
process.setgid(65534);
process.setuid(65534);
const options = { path: process.argv[1], durability: 'commit', saveIntervalMs: 1000, tombstoneRetentionMs: 1000, clock, logger };
await createLmdbStore(options).start({ onCommit: silent, onBreak: silent }).catch((error) => console.log(error.code, error.message));
process.exit(0);`;

let folder = '';
let sound = '';
let other = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rivulet-hostile-'));
  [sound, other] = [join(folder, 'sound'), join(folder, 'other')];
  for (const path of [sound, other]) {
    const store = storeIn(path);
    await store.start({ onCommit: () => {}, onBreak: () => {} });
    const sets = Array.from({ length: 40 }, (_, n) => ({ ...GROUP, item: `item-${n}`, data: JSON.stringify({ path, n }) }));
    for (const set of sets) await store.apply({ kind: 'set', ...set });
    await store.close();
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function storeIn(path: string) {
  return createLmdbStore({
    path,
    durability: 'commit',
    saveIntervalMs: 1_000,
    tombstoneRetentionMs: 1_000,
    space: { minFreeBytes: 0, minFreePercent: 0, ballastBytes: 0 },
    clock: CLOCK,
    logger: silentLogger,
  });
}

/** Returns the content of the files of a directory. Files of locks and the ballast may come and go. */
function contents(path: string): Map<string, string> {
  const names = readdirSync(path).filter((name) => ![LOCK, 'lock.mdb', 'rivulet-ballast'].some((each) => name.startsWith(each)));
  return new Map(names.map((name) => [name, lstatSync(join(path, name)).isFile() ? readFileSync(join(path, name), 'latin1') : 'no file']));
}

async function start(path: string): Promise<void> {
  const store = storeIn(path);
  await store.start({ onCommit: () => {}, onBreak: () => {} });
  await store.close();
}

/** Runs `rivulet check` or `rivulet salvage`. An error that it does not know fails the test. */
async function run(command: typeof checkCommand, path: string): Promise<{ readonly code: number; readonly text: string }> {
  const out: string[] = [];
  const write = (text: string) => void out.push(text);
  rmSync(`${path}.new`, { recursive: true, force: true });
  const input = { words: [path], flag: () => false, value: () => `${path}.new`, values: () => [] };
  const code = await command.run(input, { cwd: '/', env: {}, isTerminal: false, out: write, err: write });
  return { code, text: out.join('') };
}

const replace = (name: string, content: string | Buffer) => (path: string) => writeFileSync(join(path, name), content);
const directoryFor = (name: string) => (path: string) => {
  rmSync(join(path, name), { force: true });
  mkdirSync(join(path, name));
};
const editMarker = (from: RegExp, to: string) => (path: string) =>
  writeFileSync(join(path, MARKER), readFileSync(join(path, MARKER), 'utf8').replace(from, to));
const pipe = (path: string) => {
  rmSync(join(path, DATA));
  execFileSync('mkfifo', [join(path, DATA)]);
};
const copyOf = (names: readonly string[]) => (path: string) => {
  for (const name of names) cpSync(join(other, name), join(path, name));
};

test.each<[string, (path: string) => void, code: string, remedy: RegExp]>([
  ['an empty data file', replace(DATA, ''), 'CORRUPT_STORE', /restore it, or move/],
  ['a text in the place of the data file', replace(DATA, 'no database '.repeat(9_000)), 'CORRUPT_STORE', /rivulet salvage/],
  ['a directory in the place of the data file', directoryFor(DATA), 'CORRUPT_STORE', /no file; move it away/],
  ['a pipe in the place of the data file', pipe, 'CORRUPT_STORE', /no file; move it away/],
  [
    'a link that leads nowhere',
    (path) => (rmSync(join(path, DATA)), symlinkSync('/no/such', join(path, DATA))),
    'CORRUPT_STORE',
    /restore it/,
  ],
  ['the data file of another store', copyOf([DATA]), 'CORRUPT_STORE', /another store.*(restore|salvage)/],
  ['the marker of another store', copyOf([MARKER]), 'CORRUPT_STORE', /restore|salvage/],
  ['no marker', (path) => rmSync(join(path, MARKER)), 'CORRUPT_STORE', /marker .* is missing.*restore.*salvage/],
  ['a directory in the place of the marker', directoryFor(MARKER), 'CORRUPT_STORE', /restore it from a backup/],
  ['a marker of a newer format', editMarker(/"format":3/, '"format":4'), 'STORE_FORMAT_UNKNOWN', /start a newer engine/],
  ['a marker of no format', editMarker(/"format":3/, '"format":-5'), 'STORE_FORMAT_UNKNOWN', /restore/],
  ['a marker with another id', editMarker(/"storeId":"..../, '"storeId":"0000'), 'CORRUPT_STORE', /restore.*salvage/],
  ['a marker from the future', editMarker(/"transaction":\d+/, '"transaction":99999999'), 'CORRUPT_STORE', /restore/],
  ['garbage as the marker', replace(MARKER, Buffer.alloc(300, 0xa5)), 'CORRUPT_STORE', /restore it from a backup/],
  ['a marker of 20 MB', replace(MARKER, `{"a":"${'x'.repeat(20_000_000)}"}`), 'CORRUPT_STORE', /restore it from a backup/],
  ['garbage as the checkpoint', replace('rivulet-checkpoint.json', '{]'), 'CORRUPT_STORE', /restore the directory|remove the file/],
  ['a directory in the place of the lock file of LMDB', directoryFor('lock.mdb'), 'STORE_UNAVAILABLE', /remove it/],
  ['a directory in the place of a lock', directoryFor(LOCK), 'STORE_UNAVAILABLE', /move it away/],
  ...[1, 4_095, 4_096, 4_097, 8_191, 8_192, 8_193, 12_288].map(
    (bytes) =>
      [`a data file of ${bytes} bytes`, (path: string) => truncateSync(join(path, DATA), bytes), 'CORRUPT_STORE', /restore/] as [
        string,
        (path: string) => void,
        string,
        RegExp,
      ],
  ),
])('%s: a refusal that names the remedy and changes nothing', async (name, damage, code, remedy) => {
  const path = `${sound}.${name.replaceAll(' ', '-')}`;
  cpSync(sound, path, { recursive: true, preserveTimestamps: true });
  damage(path);
  const before = contents(path);
  await expect(start(path)).rejects.toMatchObject({ code, message: expect.stringMatching(remedy) });
  for (const command of [checkCommand, salvageCommand]) expect((await run(command, path)).text).toMatch(/\w/);
  expect(contents(path)).toEqual(before);
});

test.each<[string, (path: string) => void]>([
  ['garbage as the lock file of LMDB', replace('lock.mdb', Buffer.alloc(69_632, 0xff))],
  ['a short lock file of LMDB', replace('lock.mdb', 'x')],
  ['garbage as a lock', replace(LOCK, Buffer.alloc(300, 0xa5))],
  ['a directory in the place of a socket', directoryFor(`${LOCK}.sock`)],
  ['a lock of 20 MB', replace(LOCK, 'x'.repeat(20_000_000))],
  ['an empty lock', replace(LOCK, '')],
  ['a lock of an older version', replace('rivulet-store.lock', 'x y z')],
  ['a marker with an impossible size', editMarker(/"bytes":\d+/, '"bytes":1e308')],
  ['a marker whose facts are no facts', editMarker(/"transaction":\d+/, '"transaction":"x"')],
  ['a file that begins the creation of a store', replace('rivulet-store.creating', '')],
  ['a marker that was half written', replace(`${MARKER}.new`, '{"form')],
])('%s: the store starts', async (name, damage) => {
  const path = `${sound}.${name.replaceAll(' ', '-')}`;
  cpSync(sound, path, { recursive: true, preserveTimestamps: true });
  damage(path);
  await start(path);
  expect(await run(checkCommand, path)).toMatchObject({ code: 0, text: expect.stringContaining('40 items') });
});

test('salvage of a file without meta pages exits with 65, although no item is known to be lost', async () => {
  const path = `${sound}.empty`;
  cpSync(sound, path, { recursive: true });
  writeFileSync(join(path, DATA), '');
  expect(await run(salvageCommand, path)).toMatchObject({ code: 65, text: expect.stringContaining('may have had others') });
  expect(existsSync(`${path}.new`)).toBe(true);
});

test.runIf(process.getuid?.() === 0)(
  'files that the user may not read or write: a refusal that names the remedy, without a crash',
  async () => {
    const path = join(folder, 'permissions');
    cpSync(sound, path, { recursive: true });
    chmodSync(folder, 0o755);
    for (const name of ['.', ...readdirSync(path)]) chownSync(join(path, name), 65_534, 65_534);
    for (const name of [DATA, 'lock.mdb', MARKER]) {
      for (const mode of [0, 0o400]) {
        // The engine writes a marker anew, so it need not write to the old one.
        if (name === MARKER && mode !== 0) continue;
        chmodSync(join(path, name), mode);
        const child = spawnSync(process.execPath, ['--input-type=module', '-e', START, path], { encoding: 'utf8' });
        expect({ name, mode, signal: child.signal, text: child.stdout }).toMatchObject({
          signal: null,
          text: expect.stringMatching(/^STORE_UNAVAILABLE .*EACCES.*let the user/),
        });
        chmodSync(join(path, name), 0o600);
      }
    }
  },
);

test.skipIf(process.platform !== 'linux')('a directory that no file system can hold is refused, also below missing directories', () => {
  for (const path of ['/proc/rivulet', '/proc/rivulet/deep/streams']) {
    // The recursive mkdir of Node 20 never returned here.
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', START, path], { encoding: 'utf8', timeout: 120_000 });
    expect(child.signal).toBeNull();
    expect(child.stdout).toMatch(/^STORE_UNAVAILABLE .*choose another directory/);
  }
});

test('a link to a missing directory is refused', async () => {
  const link = join(folder, 'link');
  symlinkSync(join(folder, 'nowhere'), link);
  await expect(start(link)).rejects.toThrow(/a link leads to nothing/);
});
