import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '@rivulet/testkit/engines/cli-process';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

const GROUPS = [
  '{"stream":"chat","group":"room ü:1","offset":9,"timestamp":1764489600000}',
  '{"id":"z","created":1,"changed":9,"data":{"id":"z","n":1.5}}',
  '{"id":"a","created":2,"changed":2,"expires_at":9764489600000,"data":null}',
  '{"id":"m","created":5,"changed":6,"data":"héllo 😀"}',
];
const EXPORT = [
  '{"rivulet_export":1,"engine":"0.1.0","at":"2026-11-30T08:00:00.000Z"}',
  '{"store":"stream","epoch":"e1","removed_offset":0,"removed_timestamp":0}',
  ...GROUPS,
  '{"end":{"groups":1,"items":3}}',
];

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-export-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test('a store in a Redis is exported and imported: order, versions and times to live', async () => {
  const directory = scratch();
  const adapter = `{ name: redis, config: { redis_url: "${server.url}", key_prefix: moved } }`;
  const workers = [
    'iii-worker-manager\n    config: { host: 127.0.0.1 }',
    `iii-stream\n    config: { host: 127.0.0.1, adapter: ${adapter} }`,
  ];
  writeFileSync(join(directory, 'iii-config.yaml'), `workers:\n${workers.map((worker) => `  - name: ${worker}\n`).join('')}`);
  // A fault at the end of the file is found before the first write to the Redis.
  writeFileSync(join(directory, 'cut.jsonl'), EXPORT.slice(0, -1).join('\n'));
  expect(await run(['import', 'cut.jsonl'], directory)).toMatchObject({ code: 65, stderr: expect.stringContaining('IMPORT_REFUSED') });
  writeFileSync(join(directory, 'in.jsonl'), EXPORT.join('\n'));
  expect(await run(['import', 'in.jsonl'], directory)).toMatchObject({ code: 0, stderr: '' });
  const again = await run(['import', 'in.jsonl'], directory);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('DIRECTORY_NOT_EMPTY') });
  const engine = await EngineProcess.start({ adapter });
  const worker = await RawWorker.connect(engine.workerUrl);
  const room = { stream_name: 'chat', group_id: 'room ü:1' };
  expect(await worker.result('stream::list', room)).toEqual([{ id: 'z', n: 1.5 }, null, 'héllo 😀']);
  expect(await worker.result('stream::list_groups', { stream_name: 'chat' })).toEqual(['room ü:1']);
  expect(await run(['export', 'out.jsonl'], directory)).toMatchObject({ code: 0, stderr: '' });
  expect(readFileSync(join(directory, 'out.jsonl'), 'utf8').trimEnd().split('\n').slice(2)).toEqual(EXPORT.slice(2));
  await worker.result('stream::set', { ...room, item_id: 'n', data: 1 });
  expect(await worker.result('stream::list', room)).toEqual([{ id: 'z', n: 1.5 }, null, 'héllo 😀', 1]);
});

test('the Redis of an original engine is imported', async () => {
  server.command('HSET', 'stream:chat:room', 'm1', '{"id":"m1"}', 'm2', '[1,2]');
  server.command('HSET', 'stream:a:b:c', 'x', '1');
  server.command('HSET', 'state:user:1', 'name', '"ann"');
  const engine = await EngineProcess.start({ state: [] });
  await engine.stop();
  for (const name of ['data', 'state']) rmSync(join(engine.directory, name), { recursive: true });
  const refused = await run(['import', '--from', 'iii', server.url, '--json'], engine.directory);
  expect({ ...refused, stdout: JSON.parse(refused.stdout) as unknown }).toMatchObject({
    code: 65,
    stdout: { problems: [{ place: 'stream:a:b:c' }], problem_count: 1 },
  });
  expect(await run(['import', '--from', 'iii', server.url, '--stream', 'a:b'], engine.directory)).toMatchObject({ code: 0 });
  await engine.start();
  const worker = await RawWorker.connect(engine.workerUrl);
  expect(await worker.result('stream::list', { stream_name: 'chat', group_id: 'room' })).toEqual([{ id: 'm1' }, [1, 2]]);
  expect(await worker.result('stream::list', { stream_name: 'a:b', group_id: 'c' })).toEqual([1]);
  expect(await worker.result('state::get', { scope: 'user:1', key: 'name' })).toBe('ann');
});
