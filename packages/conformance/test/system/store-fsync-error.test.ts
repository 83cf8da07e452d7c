import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineProcess, type EngineProcessOptions } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';
import { ONE_FILE_THREAD, underStrace } from '../harness/disk-faults.js';
import { readCopy } from '../harness/store-copy.js';

const FAILING_STORE = fileURLToPath(new URL('../harness/failing-store.mjs', import.meta.url));

const group = { stream_name: 's', group_id: 'g' };
/** A test starts several engines. */
const PATIENT_MS = 240_000;

/** Writes numbers until a write fails. Returns the last acknowledged number. */
async function writeUntilRefused(worker: RawWorker): Promise<{ readonly taken: number; readonly code: unknown }> {
  for (let n = 1; n < 200; n++) {
    const code = await worker.errorCode('stream::set', { ...group, item_id: 'm', data: { n } });
    if (code !== undefined) return { taken: n - 1, code };
  }
  throw new Error('no write was refused');
}

const failures = [
  { what: 'one fdatasync with EIO', calls: 'fdatasync', inject: 'error=EIO:when=14' },
  { what: 'each fdatasync with EIO', calls: 'fdatasync', inject: 'error=EIO:when=14+' },
  // The main thread writes a meta page and a record of the log in turn.
  { what: 'each write with EIO, from that of a meta page or of a record on', calls: 'pwrite64', inject: 'error=EIO:when=100+' },
  { what: 'each write with EIO, from the next one on', calls: 'pwrite64', inject: 'error=EIO:when=101+' },
  { what: 'each write with ENOSPC, from that of a meta page or of a record on', calls: 'pwrite64', inject: 'error=ENOSPC:when=100+' },
  { what: 'each write with ENOSPC, from the next one on', calls: 'pwrite64', inject: 'error=ENOSPC:when=101+' },
  { what: 'each write of pages with EIO', calls: 'writev', inject: 'error=EIO:when=30+' },
] as const;

test.each(failures)(
  'F4 RG-24 a disk that answers $what: the write is refused and never seen, the store takes no write and lives on',
  async ({ calls, inject }) => {
    // Without room for the log, LMDB did not begin to commit, so the store has not failed.
    const possible = inject.includes('ENOSPC') ? ['STORE_UNAVAILABLE', 'STORE_FULL'] : ['STORE_UNAVAILABLE'];
    const options: EngineProcessOptions = { wrapper: underStrace(calls, inject), env: ONE_FILE_THREAD };
    const engine = await EngineProcess.start(options);
    const worker = await RawWorker.connect(engine.workerUrl);
    const watcher = await StreamSocket.open(`${engine.streamUrl}/stream/s/g`);
    await watcher.take('sync');
    await worker.result('stream::send', { ...group, type: 'typing', data: {} });
    const { taken, code } = await writeUntilRefused(worker);
    expect(possible).toContain(code);
    expect(taken).toBeGreaterThan(0);

    // From here on every write fails, even when the disk works again, and no refused write is visible.
    const more = Array.from({ length: 50 }, (_, n) => ({ ...group, item_id: n % 2 === 0 ? 'm' : 'other', data: { n: 1_000 + n } }));
    const codes = await Promise.all(more.map((each) => worker.errorCode('stream::set', each)));
    expect(new Set([...codes, await worker.errorCode('stream::delete', { ...group, item_id: 'm' })])).toEqual(new Set([code]));
    expect(await worker.result('stream::get', { ...group, item_id: 'm' })).toEqual({ n: taken });
    expect(await worker.result('stream::list', { ...group, with_ids: true })).toEqual([{ id: 'm', data: { n: taken } }]);
    const joiner = await StreamSocket.open(`${engine.streamUrl}/stream/s/g`);
    expect((await joiner.take('sync')).event.data).toEqual([{ n: taken }]);
    await worker.result('stream::send', { ...group, type: 'typing', data: { still: true } });
    await joiner.take('event');
    await watcher.settled();
    const shown = watcher.inbox.all.flatMap(({ event }) => (event.type === 'create' || event.type === 'update' ? [event.data] : []));
    expect(shown).toEqual(Array.from({ length: taken }, (_, n) => ({ n: n + 1 })));
    await expect.poll(() => engine.log).toContain(code === 'STORE_FULL' ? 'store_write_refused' : 'store_failed');
    expect(engine.log).not.toMatch(/unhandled_rejection|uncaught_exception/);

    const late = worker.call('stream::set', { ...group, item_id: 'm', data: { n: 5_000 } });
    expect(await engine.stop()).toBe(0);
    const answer = await late.catch(() => undefined);
    expect(answer?.result).toBeUndefined();

    const again = await EngineProcess.start({ directory: engine.directory });
    const reader = await RawWorker.connect(again.workerUrl);
    expect(await reader.result('stream::list', { ...group, with_ids: true })).toEqual([{ id: 'm', data: { n: taken } }]);
    await reader.result('stream::set', { ...group, item_id: 'm', data: { n: taken + 1 } });
    expect(await again.stop()).toBe(0);
  },
  PATIENT_MS,
);

test(
  'F4 a relaxed store whose disk fails is read-only from the next flush on, and the process lives',
  async () => {
    const engine = await EngineProcess.start({
      wrapper: underStrace('fdatasync', 'error=EIO:when=14+'),
      env: ONE_FILE_THREAD,
      adapter: '{ name: kv, config: { store_method: file_based, file_path: ./data, durability: relaxed, save_interval_ms: 100 } }',
    });
    const worker = await RawWorker.connect(engine.workerUrl);
    let code: unknown;
    for (let n = 0; code === undefined; n++) {
      code = await worker.errorCode('stream::set', { ...group, item_id: 'm', data: { n } });
    }
    expect(code).toBe('STORE_UNAVAILABLE');
    expect(await worker.result('stream::get', { ...group, item_id: 'm' })).toEqual({ n: expect.any(Number) });
    expect(await engine.stop()).toBe(0);
  },
  PATIENT_MS,
);

test(
  'F4 a store that failed lets go of its directory when it closes, for other processes only',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-failing-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const path = join(directory, 'data');
    const [program = '', ...wrapper] = underStrace('fdatasync', 'error=EIO:when=14');
    const child = spawn(program, [...wrapper, process.execPath, FAILING_STORE, path], {
      env: { ...process.env, ...ONE_FILE_THREAD },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
    });
    expect(await once(child, 'close')).toEqual([0, null]);
    const told = JSON.parse(output) as { taken: number; read: string };
    expect(told).toMatchObject({ code: 'STORE_UNAVAILABLE', reason: 'Error: EIO: i/o error, fdatasync', locked: false });
    expect(told).toMatchObject({ reopened: expect.stringContaining("failed in this process, which can't open it again") });
    expect(told.read).toBe(String(told.taken));
    const [group] = await readCopy(path, [{ stream: 's', group: 'g' }]);
    expect(group?.items.get('m')?.data).toBe(told.read);
  },
  PATIENT_MS,
);
