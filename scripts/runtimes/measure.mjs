import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, SetupError } from '../set-up/workspace.mjs';
import { freePorts, SmokeEngine } from './smoke/engine.mjs';

/** @import { Measurement, Outcome } from './matrix.mjs' */
/** @import { Runtime } from './install.mjs' */

const CLI = join(ROOT, 'packages/engine/bin/rivulet.js');
const SMOKE = join(ROOT, 'scripts/runtimes/smoke/main.mjs');
const CONFORMANCE = join(ROOT, 'packages/conformance/bin/rivulet-conformance.js');

/**
 * Measures a runtime: the conformance command, and the two smoke runs. The other side of each runs on this Node.
 *
 * @param {Runtime} runtime @param {string} program @param {string | undefined} redisUrl
 * @returns {Promise<Measurement>}
 */
export async function measure({ id, name, version }, program, redisUrl) {
  const conformance = await conformanceOf(program);
  const engine = await smoke({ peers: process.execPath, engine: program, side: 'engine', redisUrl });
  const peers = await smoke({ peers: program, engine: process.execPath, side: 'peers' });
  return { id, name, version, conformance, engine, peers };
}

/**
 * Runs the smoke program. A check that has no line did not run, because the program ended before it.
 *
 * @param {{ peers: string, engine: string, side: 'engine' | 'peers', redisUrl?: string | undefined }} request
 * @returns {Promise<Record<string, Outcome>>}
 */
export async function smoke({ peers, engine, side, redisUrl }) {
  const request = { engine: { program: engine, cli: CLI }, side, conformance: CONFORMANCE, redisUrl };
  const { code, stdout, stderr } = await output(peers, [SMOKE, JSON.stringify(request)]);
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  /** @type {{ check: string, ok: boolean, why?: string }[]} */
  const checks = lines.map((line) => JSON.parse(line));
  const outcomes = Object.fromEntries(checks.map(({ check, ok, why }) => [check, ok || (why ?? 'no reason')]));
  return code === 0 && checks.length > 0 ? outcomes : { ...outcomes, run: `the smoke program ended with ${code}: ${stderr.slice(-1_000)}` };
}

/**
 * Runs the conformance command of this Node against an engine on a runtime. The configuration is that of docs/conformance.md.
 *
 * @param {string} program
 */
async function conformanceOf(program) {
  const ports = await freePorts();
  const file = /```yaml\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'docs/conformance.md'), 'utf8'))?.[1] ?? '';
  /** @type {Readonly<Record<string, number>>} */
  const replaced = { 49134: ports.worker, 49135: ports.admin, 3112: ports.stream, 3111: ports.http };
  const config = file.replaceAll(/port: (\d+)/g, (_, port) => `port: ${replaced[port]}`);
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-runtime-'));
  const engine = new SmokeEngine({ program, cli: CLI }, folder, ports, config);
  try {
    await engine.start();
    const guests = `ws://127.0.0.1:${ports.admin}`;
    const addresses = ['--worker', engine.workerUrl, '--rbac', guests, '--stream-auth', engine.streamUrl, '--http', engine.httpUrl];
    const { stdout, stderr } = await output(process.execPath, [CONFORMANCE, ...addresses, '--timeout', '60000', '--json']);
    if (!stdout.startsWith('{')) throw new SetupError(`rivulet-conformance failed: ${stderr}`);
    /** @type {{ count: { hold: number }, rules: { id: string, outcome: string }[] }} */
    const { count, rules } = JSON.parse(stdout);
    return { hold: count.hold, failing: rules.filter(({ outcome }) => outcome === 'fails').map(({ id }) => id) };
  } finally {
    await engine.end('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/**
 * @param {string} program @param {readonly string[]} args
 * @returns {Promise<{ code: number | null, stdout: string, stderr: string }>}
 */
function output(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => (stdout += String(data)));
    child.stderr.on('data', (data) => (stderr += String(data)));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
