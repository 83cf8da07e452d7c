import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRedis } from '../../runtimes/redis.mjs';
import { baseCommit } from '../../upgrades/base.mjs';
import { type Build, buildOf, currentBuild } from '../../upgrades/old-build.mjs';
import { rollEmbedded, rollRedis } from '../../upgrades/scenarios.mjs';

const base = baseCommit();
const to = currentBuild();
const folder = mkdtempSync(join(tmpdir(), 'rivulet-upgrades-'));
let from: Build = to;

beforeAll(async () => {
  // The set-up of `npm test` has made this build already.
  if ('commit' in base) from = await buildOf(base.commit);
});
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

const start = 'commit' in base ? base.commit : `an earlier commit (skipped: NO_HISTORY: ${base.missing})`;
// In CI a skipped test is a failure.
describe.skipIf('missing' in base).concurrent(`from ${start}`, () => {
  test('an engine with its own store is replaced, put back, and replaced again after a crash', async () => {
    const said: string[] = [];
    await rollEmbedded({ from, to, folder: join(folder, 'embedded'), say: (line) => said.push(line) });
    expect(said).toHaveLength(6);
  });

  test('engines over one Redis are replaced one after another, and put back', async ({ onTestFinished }) => {
    const redis = await startRedis();
    onTestFinished(() => redis?.stop());
    const said: string[] = [];
    await rollRedis({ from, to, folder: join(folder, 'redis'), redisUrl: redis?.url ?? '', say: (line) => said.push(line) });
    expect(said).toHaveLength(3);
  });
});
