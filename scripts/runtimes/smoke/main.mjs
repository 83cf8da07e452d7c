import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKS } from './checks.mjs';
import { durableConfig, freePorts, SmokeEngine } from './engine.mjs';
import { Peers } from './peers.mjs';

/** @import { EngineCommand } from './engine.mjs' */

/**
 * The input of a smoke run. `side` is the part that the measured runtime runs. Checks that concern only the other part are left out.
 * `conformance` is the main file of the conformance command.
 *
 * @typedef {{ engine: EngineCommand, side: 'engine' | 'peers', conformance: string, redisUrl?: string }} SmokeRequest
 */

// Runs on the runtime of the peers: Node or Bun. It starts the engine on its own runtime, carries out the checks one after another, and
// prints a line of JSON for each: { check, ok, why }.

/** Milliseconds of one check. They only end a check that hangs. */
const CHECK_MS = 120_000;

/** @type {SmokeRequest} */
const request = JSON.parse(process.argv[2] ?? '');
const folder = mkdtempSync(join(tmpdir(), 'rivulet-smoke-'));
const ports = await freePorts();
const engine = new SmokeEngine(request.engine, join(folder, 'engine'), ports, durableConfig(ports));
/** @type {SmokeEngine[]} */
const others = [];
/** @type {Peers | undefined} */
let peers;

/** @param {unknown} error */
const reasonOf = (error) =>
  (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).replaceAll(/\s+/g, ' ').slice(0, 600);

// A peer that fails in a way that no check awaits is a fault of that check.
/** @type {(error: unknown) => void} */
let failCheck = () => {};
process.on('uncaughtException', (error) => failCheck(error));
process.on('unhandledRejection', (error) => failCheck(error));

try {
  await engine.start();
  peers = new Peers(engine);
  await peers.ready();
  for (const { name, side, run } of CHECKS) {
    if (side !== undefined && side !== request.side) continue;
    /** @type {Record<string, unknown>} */
    const line = { check: name, ok: true };
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const failed = new Promise((_resolve, reject) => {
      failCheck = reject;
      timer = setTimeout(() => reject(new Error(`no end after ${CHECK_MS} ms`)), CHECK_MS);
    });
    failed.catch(() => {});
    try {
      await Promise.race([run({ request, engine, peers, folder, others }), failed]);
    } catch (error) {
      Object.assign(line, { ok: false, why: reasonOf(error) });
    }
    clearTimeout(timer);
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
} catch (error) {
  process.stdout.write(`${JSON.stringify({ check: 'start', ok: false, why: reasonOf(error) })}\n`);
} finally {
  await peers?.close();
  for (const each of [engine, ...others]) await each.end('SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
process.exit(0);
