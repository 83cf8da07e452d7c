import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLI } from '@rivulet/testkit/engines/built-engine';
import { type Finished, run } from '@rivulet/testkit/engines/cli-process';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { diesAt, endAfterInterrupt, engineCommand, type KillPoint, killPointsOf } from '../harness/kill-points.js';

/** Moments of each command at which it is killed. `RIVULET_KILL_POINTS=100000` kills it before every call that changes a file. */
const MOST = Number(process.env.RIVULET_KILL_POINTS ?? 2);
const TIMEOUT = 600_000 + MOST * 10_000;
const ITEMS = 300;
const SPARSE_STORE = fileURLToPath(new URL('../harness/sparse-store.mjs', import.meta.url));

const CONFIG = `workers:
  - name: iii-stream
    config: { adapter: { name: kv, config: { store_method: file_based, file_path: ./data } } }
  - name: iii-state
    config: { adapter: { name: kv, config: { store_method: file_based, file_path: ./state } } }
`;

/** An export with the same items in a stream and in state. */
function exportFile(): string {
  const group = (stream: string) => [
    JSON.stringify({ stream, group: 'g', offset: ITEMS, timestamp: 1_764_489_600_000 }),
    ...Array.from({ length: ITEMS }, (_, n) =>
      JSON.stringify({ id: `i${n}`, created: n + 1, changed: n + 1, data: { n, pad: 'x'.repeat(n) } }),
    ),
  ];
  const store = (name: string) => JSON.stringify({ store: name, epoch: `e-${name}`, removed_offset: 0, removed_timestamp: 0 });
  const lines = [store('stream'), ...group('s'), store('state'), ...group('state')];
  const first = JSON.stringify({ rivulet_export: 1, engine: '0.1.0', at: '2026-11-30T08:00:00.000Z' });
  return [first, ...lines, JSON.stringify({ end: { groups: 2, items: 2 * ITEMS } }), ''].join('\n');
}

function scratch(from?: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-killed-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  if (from !== undefined) copy(from, directory);
  return directory;
}

/** Copies a directory without the sockets in it. */
function copy(from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith('.sock') });
}

let original: string;

beforeAll(() => {
  original = mkdtempSync(join(tmpdir(), 'rivulet-killed-original-'));
  writeFileSync(join(original, 'iii-config.yaml'), CONFIG);
  writeFileSync(join(original, 'in.jsonl'), exportFile());
  for (const words of [
    ['import', 'in.jsonl'],
    ['backup', 'b'],
  ]) {
    execFileSync(process.execPath, [CLI, ...words], { cwd: original });
  }
  return () => rmSync(original, { recursive: true });
});

/** Items in streams and in state that an engine has, or `refused` when it does not start with the stores and says what to do. */
type Outcome = string;

const ALL: Outcome = `${ITEMS}+${ITEMS}`;
const EMPTY: Outcome = '0+0';

/** Starts an engine on a copy of the stores. */
async function outcomeIn(directory: string): Promise<Outcome> {
  const started = scratch();
  for (const name of ['data', 'state']) {
    if (existsSync(join(directory, name))) copy(join(directory, name), join(started, name));
  }
  let engine: EngineProcess;
  try {
    engine = await EngineProcess.start({ directory: started, state: [] });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return text.includes('RESTORE_UNFINISHED') ? 'refused' : text;
  }
  const worker = await RawWorker.connect(engine.workerUrl);
  const counts = await Promise.all([
    worker.result('stream::list', { stream_name: 's', group_id: 'g' }),
    worker.result('state::list', { scope: 'g' }),
  ]);
  await worker.close();
  await engine.kill();
  const lists = counts as { n: number }[][];
  if (!lists.every((list) => list.every(({ n }, index) => n === index))) return 'wrong items';
  return lists.map((list) => list.length).join('+');
}

/** The bytes of all files that are no locks. */
function hashOf(directory: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    if (/lock|\.sock$/.test(name)) continue;
    hash.update(name);
    try {
      hash.update(readFileSync(join(directory, name)));
    } catch {}
  }
  return hash.digest('hex');
}

/** Runs `judge` after the command was killed at each point, in a directory that `prepare` makes. */
async function forEachKill(
  program: readonly string[],
  prepare: () => string,
  judge: (directory: string, point: KillPoint) => Promise<void>,
): Promise<void> {
  const points = await killPointsOf(program, prepare(), MOST);
  expect(points.length).toBeGreaterThan(0);
  let killed = 0;
  for (const point of points) {
    const directory = prepare();
    if (!(await diesAt(point, program, directory))) continue;
    killed++;
    try {
      await judge(directory, point);
    } catch (error) {
      throw new Error(`killed before: ${point.text}\n${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    rmSync(directory, { recursive: true });
  }
  // With two points, one may be a call that the second run does not make.
  expect(killed).toBeGreaterThanOrEqual(points.length / 2);
}

/** Runs the killed command again. It succeeds, or it names what to delete; then it succeeds after that. */
async function again(words: readonly string[], directory: string, leftovers: readonly string[]): Promise<void> {
  const { code, stderr } = await run(words, directory);
  expect([0, 1]).toContain(code);
  expect(`${code} ${stderr}`).toMatch(/^0|delete|name a new/);
  if (code === 0) return;
  for (const name of leftovers) rmSync(join(directory, name), { recursive: true, force: true });
  succeeded(await run(words, directory));
}

const succeeded = ({ code, stderr }: Finished) => expect({ code, stderr }).toMatchObject({ code: 0 });

describe('a command that is killed at any moment', () => {
  it('backup: never looks complete, and leaves the stores as they were', { timeout: TIMEOUT }, async () => {
    const words = ['backup', 'new'];
    await forEachKill(
      engineCommand(...words),
      () => scratch(original),
      async (directory) => {
        const restored = scratch();
        writeFileSync(join(restored, 'iii-config.yaml'), CONFIG);
        const { code, stderr } = await run(['restore', join(directory, 'new')], restored);
        const result = code === 65 && stderr.includes('BACKUP_INCOMPLETE') ? 'incomplete' : `${code} ${await outcomeIn(restored)}`;
        expect(['incomplete', `0 ${ALL}`]).toContain(result);
        await again(words, directory, ['new']);
        expect(await outcomeIn(directory)).toBe(ALL);
      },
    );
  });

  it('restore: no engine takes a part for the whole, and the backup stays as it was', { timeout: TIMEOUT }, async () => {
    const words = ['restore', 'b'];
    const prepare = () => {
      const directory = scratch(original);
      for (const name of ['data', 'state']) rmSync(join(directory, name), { recursive: true });
      return directory;
    };
    await forEachKill(engineCommand(...words), prepare, async (directory) => {
      expect(hashOf(join(directory, 'b'))).toBe(hashOf(join(original, 'b')));
      await expectWholeOrRefused(directory);
      await again(words, directory, ['data', 'state']);
      expect(await outcomeIn(directory)).toBe(ALL);
    });
  });

  it('import: no engine takes a part for the whole', { timeout: TIMEOUT }, async () => {
    const words = ['import', 'in.jsonl'];
    const prepare = () => {
      const directory = scratch();
      for (const name of ['iii-config.yaml', 'in.jsonl']) cpSync(join(original, name), join(directory, name));
      return directory;
    };
    await forEachKill(engineCommand(...words), prepare, async (directory) => {
      await expectWholeOrRefused(directory);
      await again(words, directory, ['data', 'state']);
      expect(await outcomeIn(directory)).toBe(ALL);
    });
  });

  it('salvage: no engine takes a part for the whole, and the damaged store stays as it was', { timeout: TIMEOUT }, async () => {
    const words = ['salvage', 'data', '--to', 'new'];
    await forEachKill(
      engineCommand(...words),
      () => scratch(original),
      async (directory) => {
        expect(hashOf(join(directory, 'data'))).toBe(hashOf(join(original, 'data')));
        const other = scratch(directory);
        rmSync(join(other, 'data'), { recursive: true });
        if (existsSync(join(other, 'new'))) renameSync(join(other, 'new'), join(other, 'data'));
        const hasBegun = existsSync(join(directory, 'new/rivulet-new'));
        expect([ALL, hasBegun ? 'refused' : `0+${ITEMS}`]).toContain(await outcomeIn(other));
        await again(words, directory, ['new']);
        expect(await outcomeIn(directory)).toBe(ALL);
      },
    );
  });

  it('compact: the store is whole, and nothing of the attempt stays', { timeout: TIMEOUT }, async () => {
    const words = ['compact'];
    await forEachKill(
      engineCommand(...words),
      () => scratch(original),
      async (directory) => {
        const started = scratch(directory);
        const engine = await outcomeIn(started);
        expect(engine).toBe(ALL);
        succeeded(await run(words, directory));
        for (const name of ['data', 'state']) {
          const files = readdirSync(join(directory, name)).filter((file) => file !== 'lock.mdb');
          expect(files.sort()).toEqual(['data.mdb', 'rivulet-store.json']);
        }
        expect(await outcomeIn(directory)).toBe(ALL);
      },
    );
  });

  it('export: the file is whole or absent', { timeout: TIMEOUT }, async () => {
    const words = ['export', 'out.jsonl', '--temporary', '.'];
    await forEachKill(
      engineCommand(...words),
      () => scratch(original),
      async (directory) => {
        if (!existsSync(join(directory, 'out.jsonl'))) await again(words, directory, ['out.jsonl.unfinished']);
        const imported = scratch();
        writeFileSync(join(imported, 'iii-config.yaml'), CONFIG);
        succeeded(await run(['import', join(directory, 'out.jsonl')], imported));
        // The next command of the same user removes the copies of a killed one.
        succeeded(await run(['export', 'other.jsonl', '--temporary', '.'], directory));
        expect(readdirSync(directory).filter((name) => /^\.rivulet-export|^out/.test(name))).toEqual(['out.jsonl']);
        expect(await outcomeIn(directory)).toBe(ALL);
      },
    );
  });
});

it('Ctrl-C ends a command by its signal, and the command removes what it has made', { timeout: TIMEOUT }, async () => {
  for (const { call, file, words } of [
    { call: 'pwrite64', file: 'new/stream/data.mdb', words: ['backup', 'new'] },
    { call: 'openat', file: 'out.jsonl.unfinished', words: ['export', 'out.jsonl'] },
    { call: 'write', file: 'out.jsonl.unfinished', words: ['export', 'out.jsonl'] },
  ]) {
    const directory = scratch(original);
    expect(await endAfterInterrupt(call, file, engineCommand(...words), directory)).toBe('SIGINT');
    expect(readdirSync(directory).sort()).toEqual(readdirSync(original).sort());
  }
});

describe('an engine whose command or whose start is killed', () => {
  it('gives the next backup its pages, after the one before was killed', { timeout: TIMEOUT }, async () => {
    const engine = await EngineProcess.start({ directory: scratch(original), state: [] });
    const prepare = () => {
      const directory = scratch();
      writeFileSync(join(directory, 'iii-config.yaml'), CONFIG.replaceAll('./', `${engine.directory}/`));
      return directory;
    };
    await forEachKill(engineCommand('backup', 'new'), prepare, async () => {
      const { code, stdout } = await run(['backup', 'next'], prepare());
      expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('from the running engine') });
    });
    expect(engine.running).toBe(true);
  });

  it('compaction at the start: the store is whole, and nothing of the attempt stays', { timeout: TIMEOUT }, async () => {
    const sparse = scratch();
    execFileSync(process.execPath, [SPARSE_STORE, 'data', String(ITEMS)], { cwd: sparse });
    await forEachKill(
      [SPARSE_STORE, 'data'],
      () => scratch(sparse),
      async (directory) => {
        expect(await outcomeIn(directory)).toBe(`${ITEMS}+0`);
        const attempt = join(directory, 'data/rivulet-compact');
        execFileSync(process.execPath, [SPARSE_STORE, 'data'], { cwd: directory });
        expect(existsSync(attempt)).toBe(false);
      },
    );
  });
});

/** Requires that an engine has all items, or refuses to start. It has none only when the command has not begun to fill a directory. */
async function expectWholeOrRefused(directory: string): Promise<void> {
  const hasBegun = ['data', 'state'].some((name) => existsSync(join(directory, name, 'rivulet-new')));
  expect([ALL, hasBegun ? 'refused' : EMPTY]).toContain(await outcomeIn(directory));
}
