import './set-up/node-version.mjs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startRedis } from './runtimes/redis.mjs';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT, SetupError } from './set-up/workspace.mjs';
import { buildOf, commitBefore, commitOf, currentBuild } from './upgrades/old-build.mjs';
import { rollEmbedded, rollRedis } from './upgrades/scenarios.mjs';

// Runs `npm run upgrades [-- --from COMMIT]`: builds and packs the packages of an earlier commit, and carries out the roll-outs of
// docs/upgrading.md from there to this one. Without `--from`, it takes the last commit before this one that changed a package.

const { values } = parseArgs({ options: { from: { type: 'string' } } });
const folder = mkdtempSync(join(tmpdir(), 'rivulet-upgrades-'));
const redis = await startRedis();
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, ALL_PROJECTS);
  const commit = values.from === undefined ? commitBefore() : commitOf(values.from);
  if (commit === undefined)
    throw new SetupError(`this clone has no commit ${values.from ?? 'before this one'}; fetch it (git fetch --unshallow)`);
  const [from, to] = [await buildOf(commit), currentBuild()];
  console.log(`from ${commit.slice(0, 12)}, a store in a directory:`);
  await rollEmbedded({ from, to, folder: join(folder, 'embedded'), say: (line) => console.log(`  ${line}`) });
  if (redis === undefined) throw new SetupError('no redis-server on this machine, so the roll-out over a Redis was not carried out');
  console.log(`from ${commit.slice(0, 12)}, two engines over one Redis:`);
  await rollRedis({ from, to, folder: join(folder, 'redis'), redisUrl: redis.url, say: (line) => console.log(`  ${line}`) });
} catch (error) {
  await redis?.stop();
  fail(error);
} finally {
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
