import './set-up/node-version.mjs';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureRuntime, RUNTIMES } from './runtimes/install.mjs';
import { matrixOf, unexplained, withMatrix } from './runtimes/matrix.mjs';
import { measure } from './runtimes/measure.mjs';
import { startRedis } from './runtimes/redis.mjs';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT, SetupError, say } from './set-up/workspace.mjs';

/** @import { Measured, Measurement } from './runtimes/matrix.mjs' */

// Runs `npm run runtimes [-- --only node-24,bun --json --record]`: measures engine, SDK and client on versions of Node and on Bun, and
// prints a matrix. `--record` writes the measurement to scripts/runtimes/measured.json and the matrix to docs/runtimes.md. The exit code is
// 1 when something fails that matrix.mjs does not explain.

const PAGE = join(ROOT, 'docs/runtimes.md');
const RECORD = join(ROOT, 'scripts/runtimes/measured.json');

const { values } = parseArgs({
  options: { only: { type: 'string' }, json: { type: 'boolean', default: false }, record: { type: 'boolean', default: false } },
});
const wanted = values.only?.split(',');
const chosen = RUNTIMES.filter(({ id }) => wanted === undefined || wanted.includes(id));
try {
  if (wanted?.some((id) => !RUNTIMES.some((each) => each.id === id)) === true)
    throw new SetupError(`--only takes names of ${RUNTIMES.map(({ id }) => id).join(', ')}`);
  if (values.record && wanted !== undefined) throw new SetupError('--record takes all runtimes: leave out --only');
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, ALL_PROJECTS);
  const redis = await startRedis();
  /** @type {Measurement[]} */
  const measurements = [];
  try {
    for (const runtime of chosen) {
      const program = await ensureRuntime(runtime);
      say(`measuring ${runtime.name} ${runtime.version}`);
      measurements.push(await measure(runtime, program, redis?.url));
    }
  } finally {
    await redis?.stop();
  }
  /** @type {Measured} */
  const measured = { date: new Date().toISOString().slice(0, 10), platform: `${process.platform} ${process.arch}`, measurements };
  console.log(values.json ? JSON.stringify(measured, null, 2) : matrixOf(measured));
  const failures = unexplained(measurements);
  for (const failure of failures) say(`failed: ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
  else if (values.record) {
    writeFileSync(RECORD, `${JSON.stringify(measured, null, 2)}\n`);
    writeFileSync(PAGE, withMatrix(readFileSync(PAGE, 'utf8'), matrixOf(measured)));
  }
} catch (error) {
  fail(error);
}
