import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { run } from '@rivulet/testkit/engines/cli-process';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask } from '../harness/admin-client.js';

/** A file with items of each kind: an order of creation that is not that of ids, a time to live, a lease, an old change. */
const EXPORT = [
  '{"rivulet_export":1,"engine":"0.1.0","at":"2026-11-30T08:00:00.000Z"}',
  '{"store":"stream","epoch":"e1","removed_offset":3,"removed_timestamp":1764489600000}',
  '{"stream":"chat","group":"room ü:1","offset":9,"timestamp":1764489600000}',
  '{"id":"z","created":1,"changed":9,"data":{"id":"z","n":1.5,"x":",\\"data\\":"}}',
  '{"id":"a","created":2,"changed":2,"expires_at":9764489600000,"data":null}',
  '{"id":"m","created":5,"changed":6,"lease_grace_ms":3600000,"data":"héllo 😀"}',
  '{"stream":"empty","group":"g","offset":4,"timestamp":1764489600001}',
  '{"store":"state","epoch":"e2","removed_offset":0,"removed_timestamp":0}',
  '{"stream":"state","group":"orders","offset":1,"timestamp":1764489600002}',
  '{"id":"o1","created":1,"changed":1,"data":{"total":10}}',
  '{"end":{"groups":3,"items":4}}',
];

async function stoppedEngine(): Promise<EngineProcess> {
  const engine = await EngineProcess.start({ state: [] });
  await engine.stop();
  for (const name of ['data', 'state']) rmSync(join(engine.directory, name), { recursive: true });
  return engine;
}

function command(engine: EngineProcess, ...words: string[]) {
  return commandWith({}, engine, ...words);
}

async function commandWith(env: Readonly<Record<string, string>>, engine: EngineProcess, ...words: string[]) {
  const { code, stdout, stderr } = await run([...words, '--json'], engine.directory, env);
  if (stdout === '') throw new Error(stderr);
  return { code, answer: JSON.parse(stdout) as Record<string, unknown> };
}

/** Returns a stopped engine with the items of `EXPORT`. */
async function filledEngine(): Promise<{ engine: EngineProcess; output: (name: string) => string }> {
  const engine = await stoppedEngine();
  const output = (name: string) => join(engine.directory, name);
  writeFileSync(output('all.jsonl'), EXPORT.map((line) => `${line}\n`).join(''));
  expect(await command(engine, 'import', output('all.jsonl'), '--keep-epoch')).toMatchObject({ code: 0 });
  return { engine, output };
}

/** Flips the bits of one byte. */
function flip(file: string, at: number): void {
  const content = readFileSync(file);
  content[at] = (content[at] ?? 0) ^ 0xff;
  writeFileSync(file, content);
}

const linesOf = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n');

describe('rivulet export and import', () => {
  it('keep order, versions, times to live and leases, byte for byte, also from a running engine', async () => {
    const engine = await stoppedEngine();
    const [input, first, second] = ['in.jsonl', 'first.jsonl', 'second.jsonl'].map((name) => join(engine.directory, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(input, EXPORT.map((line) => `${line}\n`).join(''));
    expect(await command(engine, 'import', input, '--keep-epoch')).toMatchObject({ code: 0, answer: { groups: 3, items: 4 } });
    expect(await command(engine, 'export', first)).toMatchObject({ code: 0, answer: { groups: 3, items: 4, left_out: [] } });
    expect(linesOf(first).slice(1)).toEqual(EXPORT.slice(1));
    await engine.start();
    const worker = await RawWorker.connect(engine.workerUrl);
    const room = { stream_name: 'chat', group_id: 'room ü:1' };
    expect(await worker.result('stream::list', room)).toEqual([{ id: 'z', n: 1.5, x: ',"data":' }, null, 'héllo 😀']);
    const written = await worker.result('stream::set', { ...room, item_id: 'z', data: { id: 'z', n: 2 }, if_version: 'e1:9' });
    expect(written).not.toMatchObject({ conflict: expect.anything() });
    expect(await command(engine, 'export', second)).toMatchObject({ code: 0, answer: { items: 4 } });
    const changed = linesOf(second).find((line) => line.startsWith('{"id":"z"'));
    expect(JSON.parse(changed ?? '')).toEqual({ id: 'z', created: 1, changed: 10, data: { id: 'z', n: 2 } });
    expect(existsSync(join(engine.directory, 'data/rivulet.sock'))).toBe(true);
  });

  it.each<[string, (lines: string[]) => string[], RegExp]>([
    ['has no end', (lines) => lines.slice(0, -1), /no last line/],
    ['misses an item', (lines) => lines.filter((line) => !line.startsWith('{"id":"a"')), /3 items of 4/],
    ['has an item twice', (lines) => lines.toSpliced(5, 0, lines[4] as string), /line|order of creation/],
    ['has a damaged line', (lines) => lines.with(4, '{"id":"a","created":2,"chan'), /line 5: the line is no JSON object/],
    ['is another file', () => ['hello'], /line 1: the line is no JSON object/],
    ['has a strange store', (lines) => lines.with(1, '{"store":"cache"}'), /no store "cache"/],
  ])('a file that %s is refused, and nothing is imported', async (_fault, change, message) => {
    const engine = await stoppedEngine();
    const file = join(engine.directory, 'in.jsonl');
    writeFileSync(file, change([...EXPORT]).join('\n'));
    const { code, answer } = await command(engine, 'import', file);
    expect({ code, answer }).toMatchObject({
      code: 65,
      answer: { error: { code: 'IMPORT_REFUSED', message: expect.stringMatching(message) } },
    });
    expect(existsSync(join(engine.directory, 'data'))).toBe(false);
  });

  it.each(['rivulet', 'iii'])('an import without a place for state names the missing entry: %s-state', async (prefix) => {
    const store = '{ name: kv, config: { store_method: file_based, file_path: ./streams } }';
    const cwd = directoryWith({
      'rivulet.yaml': `workers: [{ name: ${prefix}-stream, config: { adapter: ${store} } }]`,
      'in.jsonl': EXPORT.map((line) => `${line}\n`).join(''),
    });
    const { code, stdout } = await run(['import', 'in.jsonl', '--json'], cwd);
    const { error } = JSON.parse(stdout) as { readonly error: object };
    expect({ code, error }).toEqual({
      code: 64,
      error: { code: 'INVALID_ARGUMENTS', message: `this configuration has no ${prefix}-state; name another --config` },
    });
  });

  it('an import into the directory of a running engine is refused, and the engine goes on', async () => {
    const { engine, output } = await filledEngine();
    await engine.start();
    writeFileSync(output('in.jsonl'), EXPORT.join('\n'));
    const refused = await command(engine, 'import', output('in.jsonl'));
    expect(refused).toMatchObject({ code: 75, answer: { error: { code: 'DIRECTORY_IN_USE' } } });
    const worker = await RawWorker.connect(engine.workerUrl);
    const room = { stream_name: 'chat', group_id: 'room ü:1' };
    await worker.result('stream::set', { ...room, item_id: 'later', data: 1 });
    expect(await worker.result('stream::get', { ...room, item_id: 'later' })).toBe(1);
  });

  it('refuses a store that has items, and a store in memory', async () => {
    const engine = await EngineProcess.start();
    const file = join(engine.directory, 'in.jsonl');
    writeFileSync(file, EXPORT.join('\n'));
    await engine.stop();
    expect(await command(engine, 'import', file)).toMatchObject({ code: 1, answer: { error: { code: 'DIRECTORY_NOT_EMPTY' } } });
    const memory = await EngineProcess.start({ storeMethod: 'in_memory' });
    const left = join(mkdtempSync(join(tmpdir(), 'rivulet-export-test-')), 'out.jsonl');
    onTestFinished(() => rmSync(join(left, '..'), { recursive: true }));
    expect(await command(memory, 'export', left)).toMatchObject({ code: 64, answer: { error: { code: 'INVALID_ARGUMENTS' } } });
    expect(existsSync(left)).toBe(false);
  });
});

describe('rivulet export of stores in memory', () => {
  const TOKENS = ['token: a-token-of-operators', 'viewer_token: a-token-of-viewers'];
  const FULL = { RIVULET_ADMIN_TOKEN: 'a-token-of-operators' };

  it('goes through the admin listener, and an import has the same items', async () => {
    const engine = await EngineProcess.start({ storeMethod: 'in_memory', state: [], admin: TOKENS });
    const worker = await RawWorker.connect(engine.workerUrl);
    const set = (item_id: string, data: unknown, more = {}) =>
      worker.result('stream::set', { stream_name: 's', group_id: 'g', item_id, data, ...more });
    for (const item of ['z', 'a']) await set(item, { item, text: 'hé\n😀' });
    await set('t', 1, { ttl_ms: 3_600_000 });
    await set('z', 'x'.repeat(100_000));
    await worker.result('state::set', { scope: 'orders', key: 'o1', value: { total: 10 } });
    const file = join(engine.directory, 'out.jsonl');
    const env = { ...FULL, RIVULET_ADMIN_URL: engine.adminUrl };
    const exported = await commandWith(env, engine, 'export', file);
    expect(exported).toMatchObject({ code: 0, answer: { groups: 2, items: 4, stores: ['stream', 'state'], left_out: [] } });
    expect(linesOf(file).map((line) => line.slice(0, 40))).toEqual([
      expect.stringContaining('"rivulet_export":1'),
      expect.stringContaining('{"store":"stream","epoch":'),
      expect.stringContaining('{"stream":"s","group":"g","offset":4,'),
      '{"id":"z","created":1,"changed":4,"data"',
      '{"id":"a","created":2,"changed":2,"data"',
      '{"id":"t","created":3,"changed":3,"expir',
      expect.stringContaining('{"store":"state","epoch":'),
      expect.stringContaining('{"stream":"state","group":"orders"'),
      '{"id":"o1","created":1,"changed":1,"data',
      '{"end":{"groups":2,"items":4}}',
    ]);
    const other = await stoppedEngine();
    expect(await command(other, 'import', file)).toMatchObject({ code: 0, answer: { items: 4 } });
    const again = join(other.directory, 'again.jsonl');
    expect(await command(other, 'export', again)).toMatchObject({ code: 0 });
    const items = (path: string) => linesOf(path).filter((line) => line.startsWith('{"id"'));
    expect(items(again)).toEqual(items(file));
  });

  it('needs the full token, and leaves nothing behind when it is refused or cut off', async () => {
    const engine = await EngineProcess.start({ storeMethod: 'in_memory', admin: TOKENS });
    const file = join(engine.directory, 'out.jsonl');
    const refused = (env: Readonly<Record<string, string>>, url: string) => commandWith(env, engine, 'export', file, '--admin-url', url);
    const viewer = { RIVULET_ADMIN_TOKEN: 'a-token-of-viewers' };
    expect(await refused(viewer, engine.adminUrl)).toMatchObject({ code: 77, answer: { error: { code: 'FORBIDDEN' } } });
    expect(await refused(FULL, 'http://127.0.0.1:1')).toMatchObject({ code: 69, answer: { error: { code: 'NO_CONNECTION' } } });
    for (const text of ['', 'hello', '{"store":"stream","epoch":"e"}\n{"stream":"s"}\n{"end":{"groups":2,"items":0}}\n']) {
      const server = createServer((_request, response) => response.end(text));
      onTestFinished(() => void server.close());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      expect(await refused(FULL, `http://127.0.0.1:${port}`)).toMatchObject({ code: 69, answer: { error: { code: 'CONTROL_FAILED' } } });
    }
    expect(readdirSync(engine.directory).filter((name) => name.startsWith('out'))).toEqual([]);
  });

  it('leaves a store in a directory to the command', async () => {
    const engine = await EngineProcess.start({ admin: [] });
    expect(await ask(engine.adminUrl, '/api/stores/stream/export')).toMatchObject({ status: 400 });
    expect(await ask(engine.adminUrl, '/api/stores/cache/export')).toMatchObject({ status: 404 });
  });
});

describe('rivulet export --backup', () => {
  it('leaves the backup as it is, and refuses one that has changed', async () => {
    const { engine, output } = await filledEngine();
    expect(await command(engine, 'backup', 'b')).toMatchObject({ code: 0 });
    const files = () =>
      readdirSync(output('b'), { recursive: true, encoding: 'utf8' })
        .toSorted()
        .map((name) => [name, statSync(output(`b/${name}`)).mtimeMs, statSync(output(`b/${name}`)).size]);
    const before = files();
    for (const name of ['one.jsonl', 'two.jsonl']) {
      expect(await command(engine, 'export', output(name), '--backup', 'b')).toMatchObject({ code: 0, answer: { groups: 3, items: 4 } });
      expect(linesOf(output(name)).slice(1)).toEqual(EXPORT.slice(1));
      expect(files()).toEqual(before);
    }
    for (const name of ['data', 'state']) rmSync(join(engine.directory, name), { recursive: true });
    expect(await command(engine, 'restore', 'b')).toMatchObject({ code: 0 });
    // A byte of a page that no item uses is a change too.
    flip(join(engine.directory, 'b/stream/data.mdb'), 4_096 + 2_000);
    const refused = await command(engine, 'export', output('three.jsonl'), '--backup', 'b');
    expect(refused).toMatchObject({ code: 65, answer: { error: { code: 'BACKUP_DAMAGED' } } });
    expect(readdirSync(engine.directory).filter((name) => name.startsWith('three'))).toEqual([]);
  });

  it('refuses a store with damaged pages before LMDB reads them', async () => {
    const { engine, output } = await filledEngine();
    const data = join(engine.directory, 'data/data.mdb');
    for (let page = 2; page < statSync(data).size / 4_096; page++) flip(data, page * 4_096 + 12);
    const refused = await command(engine, 'export', output('out.jsonl'));
    expect(refused).toMatchObject({ code: 65, answer: { error: { code: 'CORRUPT_STORE' } } });
    expect(existsSync(output('out.jsonl'))).toBe(false);
  });
});

describe('rivulet import --from iii', () => {
  const FIXTURE = new URL('../fixtures/iii-kv', import.meta.url).pathname;

  it('reports what cannot be kept, with file and key, and imports nothing', async () => {
    const engine = await stoppedEngine();
    const { code, answer } = await command(engine, 'import', '--from', 'iii', FIXTURE);
    expect({ code, imported: answer.imported }).toEqual({ code: 65, imported: false });
    const problems = answer.problems as { place: string; key?: string; problem: string }[];
    expect(problems.map(({ place, key, problem }) => [place.slice(FIXTURE.length + 1), key, /--\S+/.exec(problem)?.[0]])).toEqual([
      ['stream_store/stream%3Achat%3Aroom%202%2F%C3%BC%3A%2A.bin', undefined, '--stream'],
      ['stream_store/stream%3Achat%3Aroom-1.bin', 'm2', '--lossy-numbers'],
      ['stream_store/stream%3As%3At%3Aa%3Ab.bin', undefined, '--stream'],
    ]);
    expect(existsSync(join(engine.directory, 'data'))).toBe(false);
  });

  it('takes streams and state of the original engine', async () => {
    const engine = await stoppedEngine();
    const options = ['--lossy-numbers', '--stream', 'chat', '--stream', 's'];
    expect(await command(engine, 'import', '--from', 'iii', FIXTURE, ...options)).toMatchObject({
      code: 0,
      answer: { items: 12, groups: 6 },
    });
    await engine.start();
    const worker = await RawWorker.connect(engine.workerUrl);
    const list = (stream_name: string, group_id: string) => worker.result('stream::list', { stream_name, group_id });
    expect(await list('chat', 'room-1')).toEqual([
      { big: 9007199254740992, f: 1.5, id: 'm2', nested: { a: [1, 2, { b: null }] }, text: 'héllo 😀' },
      { id: 'm3' },
    ]);
    expect(await list('chat', 'g')).toEqual([null, 42, 'text', [1, '2', null, []]]);
    expect(await list('chat', 'room 2/ü:*')).toEqual([{ id: 'x:y' }]);
    expect(await list('s', 't:a:b')).toEqual([{ v: 2 }]);
    expect(await worker.result('state::get', { scope: 'user:1', key: 'name' })).toBe('ann');
    expect(await worker.result('state::list', { scope: 'orders' })).toEqual([{ total: 10 }, { tags: ['a'], total: 20 }]);
  });

  it('leaves out what cannot be kept with --skip', async () => {
    const engine = await stoppedEngine();
    const { code, answer } = await command(engine, 'import', '--from', 'iii', FIXTURE, '--skip');
    expect({ code, answer }).toMatchObject({ code: 0, answer: { items: 9, groups: 4, problem_count: 3 } });
  });
});
