import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '@rivulet/testkit/engines/cli-process';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AlternatingWriters, expectOneMoment } from '../harness/alternating-writers.js';

const ROUNDS = Number(process.env.RIVULET_BACKUPS ?? 2);

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-backup-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs a command in the directory of an engine, with its configuration, and returns what it printed as JSON. */
async function command(engine: EngineProcess, ...words: string[]): Promise<{ code: number | null; answer: Record<string, unknown> }> {
  const { code, stdout, stderr } = await run([...words, '--json'], engine.directory);
  if (stdout === '') throw new Error(stderr);
  return { code, answer: JSON.parse(stdout) as Record<string, unknown> };
}

describe('rivulet backup', () => {
  it(
    `K5 is of one moment of streams and state, ${ROUNDS} times under writes`,
    async () => {
      const engine = await EngineProcess.start({ state: [] });
      const restored = await EngineProcess.start({ state: [] });
      const writers = AlternatingWriters.begin(engine.workerUrl, 8);
      const backups = scratch();
      for (let round = 0; round < ROUNDS; round++) {
        await writers.writes(20);
        const before = writers.now();
        const directory = join(backups, `b${round}`);
        const { code, answer } = await command(engine, 'backup', directory);
        const after = writers.now();
        expect({ code, answer }).toMatchObject({ code: 0, answer: { ok: true, online: true } });
        await restored.stop();
        for (const name of ['data', 'state']) rmSync(join(restored.directory, name), { recursive: true });
        expect(await command(restored, 'restore', directory)).toMatchObject({ code: 0, answer: { ok: true } });
        await restored.start();
        await expectOneMoment(restored.workerUrl, before, after);
        rmSync(directory, { recursive: true });
      }
      await writers.stop();
    },
    120_000 + ROUNDS * 20_000,
  );

  it('copies a stopped engine, and refuses directories that are in use or not empty', async () => {
    const engine = await EngineProcess.start({ state: [] });
    const worker = await RawWorker.connect(engine.workerUrl);
    await worker.result('stream::set', { stream_name: 's', group_id: 'g', item_id: 'i', data: { v: 1 } });
    await engine.stop();
    const backups = scratch();
    const directory = join(backups, 'b');
    const { code, answer } = await command(engine, 'backup', directory);
    expect({ code, answer }).toMatchObject({ code: 0, answer: { online: false } });
    expect(answer.stores).toMatchObject([
      { name: 'stream', items: 1, groups: 1 },
      { name: 'state', items: 0, groups: 0 },
    ]);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(await command(engine, 'backup', directory)).toMatchObject({ code: 1, answer: { error: { code: 'DIRECTORY_NOT_EMPTY' } } });
    expect(await command(engine, 'restore', directory)).toMatchObject({ code: 1, answer: { error: { code: 'DIRECTORY_NOT_EMPTY' } } });
  });

  it('refuses a destination that cannot be created', async () => {
    const engine = await EngineProcess.start();
    expect(await command(engine, 'backup', '/proc/b')).toMatchObject({ code: 1, answer: { ok: false, error: { code: 'ENOENT' } } });
    expect(await command(engine, 'import', 'x', '--from', 'y')).toMatchObject({
      code: 64,
      answer: { error: { code: 'INVALID_ARGUMENTS' } },
    });
  });

  it('leaves nothing behind when it fails', async () => {
    const engine = await EngineProcess.start();
    await engine.stop();
    rmSync(join(engine.directory, 'data/data.mdb'));
    const directory = join(scratch(), 'b');
    expect(await command(engine, 'backup', directory)).toMatchObject({ code: 65, answer: { error: { code: 'CORRUPT_STORE' } } });
    expect(existsSync(directory)).toBe(false);
  });

  it('works where the path of the data directory is longer than a Unix socket allows', async () => {
    const long = join(scratch(), 'x'.repeat(100), 'y'.repeat(100));
    mkdirSync(long, { recursive: true });
    const engine = await EngineProcess.start({ directory: long });
    expect(statSync(join(long, 'data/rivulet.sock')).mode & 0o777).toBe(0o600);
    expect(await command(engine, 'backup', join(scratch(), 'b'))).toMatchObject({ code: 0, answer: { online: true } });
    await engine.stop();
    expect(readdirSync(join(long, 'data'))).not.toContain('rivulet.sock');
  });

  it('goes on after the engine was killed: its socket is left and nobody listens', async () => {
    const engine = await EngineProcess.start();
    await engine.kill();
    expect(await command(engine, 'backup', join(scratch(), 'b'))).toMatchObject({ code: 0, answer: { online: false } });
    await engine.start();
    expect(await command(engine, 'backup', join(scratch(), 'c'))).toMatchObject({ code: 0, answer: { online: true } });
  });
});

describe('rivulet restore', () => {
  async function positionAndReason(engine: EngineProcess, since?: string): Promise<{ position: string; kind: string; reason: unknown }> {
    const client = await StreamSocket.open(engine.streamUrl);
    client.joinWithPositions('s', 's', 'g', since === undefined ? {} : { since });
    const frame = await client.inbox.take(({ event, type }) => event?.type === 'sync' || type === 'resumed', 'an answer to the join');
    await client.close();
    return { position: `${frame.epoch}:${frame.offset}`, kind: frame.event?.type ?? frame.type, reason: frame.reason };
  }

  async function writeItem(engine: EngineProcess, id: string): Promise<void> {
    const worker = await RawWorker.connect(engine.workerUrl);
    await worker.result('stream::set', { stream_name: 's', group_id: 'g', item_id: id, data: { id } });
    await worker.close();
  }

  it.each([
    { options: [], later: 'epoch', resumes: 'sync' },
    { options: ['--keep-epoch'], later: 'ahead', resumes: 'resumed' },
  ])('with $options gives a client that is ahead a sync, and never a wrong continuation', async ({ options, later, resumes }) => {
    const engine = await EngineProcess.start();
    await writeItem(engine, 'a');
    const { position: known } = await positionAndReason(engine);
    const directory = join(scratch(), 'b');
    await command(engine, 'backup', directory);
    await writeItem(engine, 'b');
    const { position: ahead } = await positionAndReason(engine);
    await engine.stop();
    rmSync(join(engine.directory, 'data'), { recursive: true });
    expect(await command(engine, 'restore', directory, ...options)).toMatchObject({ code: 0 });
    await engine.start();
    expect(await positionAndReason(engine, ahead)).toMatchObject({ kind: 'sync', reason: later });
    expect(await positionAndReason(engine, known)).toMatchObject({ kind: resumes });
  });

  it('refuses a backup that is damaged or did not end', async () => {
    const engine = await EngineProcess.start();
    await writeItem(engine, 'a');
    const directory = join(scratch(), 'b');
    await command(engine, 'backup', directory);
    await engine.stop();
    rmSync(join(engine.directory, 'data'), { recursive: true });
    const data = join(directory, 'stream/data.mdb');
    const file = openSync(data, 'r+');
    writeSync(file, Buffer.of(1), 0, 1, statSync(data).size - 1);
    closeSync(file);
    expect(await command(engine, 'restore', directory)).toMatchObject({ code: 65, answer: { error: { code: 'BACKUP_DAMAGED' } } });
    expect(existsSync(join(engine.directory, 'data'))).toBe(false);
    rmSync(join(directory, 'rivulet-backup.json'));
    expect(await command(engine, 'restore', directory)).toMatchObject({ code: 65, answer: { error: { code: 'BACKUP_INCOMPLETE' } } });
  });
});
