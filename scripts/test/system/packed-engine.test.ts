import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { expect, onTestFinished, test } from 'vitest';
import { sharedTarballs } from '../../packing/shared.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

/** Puts the packed engine into an empty folder. Returns its command. The dependencies come from this repository, behind links. */
async function unpackEngine(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-packed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const modules = join(folder, 'node_modules');
  for (const { name, tarball } of await sharedTarballs()) {
    const installed = join(modules, name);
    mkdirSync(installed, { recursive: true });
    execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
    const { dependencies = {} } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      readonly dependencies?: Readonly<Record<string, string>>;
    };
    for (const dependency of Object.keys(dependencies).filter((each) => !each.startsWith('@rivulet/'))) {
      const link = join(modules, dependency);
      mkdirSync(dirname(link), { recursive: true });
      if (!existsSync(link)) symlinkSync(join(ROOT, 'node_modules', dependency), link);
    }
  }
  return join(modules, '@rivulet/engine/bin/rivulet.js');
}

test('the packed engine has everything that it needs to run over a Redis', async () => {
  const server = await RedisServer.start();
  onTestFinished(() => server.dispose());
  const engine = await EngineProcess.start({
    cli: await unpackEngine(),
    adapter: `{ name: redis, config: { redis_url: "${server.url}" } }`,
  });
  const worker = await RawWorker.connect(engine.workerUrl);
  const item = { stream_name: 'chat', group_id: 'room', item_id: 'm1' };
  await worker.result('stream::set', { ...item, data: { text: 'hello' } });
  expect(await worker.result('stream::get', item)).toEqual({ text: 'hello' });
  expect(await worker.result('stream::delete', item)).toMatchObject({ old_value: { text: 'hello' } });
});

test('the packed engine behind links loads each package when a store in a directory is open and its log goes to a pipe', async () => {
  const server = await RedisServer.start();
  onTestFinished(() => server.dispose());
  const engine = await EngineProcess.start({
    cli: await unpackEngine(),
    state: [],
    stateAdapter: `{ name: redis, config: { redis_url: "${server.url}" } }`,
    admin: [],
  });
  const worker = await RawWorker.connect(engine.workerUrl);
  await worker.result('state::set', { scope: 's', key: 'k', value: 1 });
  expect(await worker.result('state::get', { scope: 's', key: 'k' })).toBe(1);
  const metrics = await fetch(`${engine.adminUrl}/metrics`);
  expect(await metrics.text()).toContain('rivulet_');
});
