import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startLocalRegistry } from '../../packing/local-registry.mjs';
import { output } from '../../packing/output.mjs';
import { sharedTarballs } from '../../packing/shared.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

// A stranger has the tarballs and nothing of this repository: `npm install ./*.tgz` in an empty folder, then `npx rivulet start`. The
// engine runs on its default ports, so these tests give it a network of its own.

const READY = 'ready worker=ws://127.0.0.1:49134 stream=ws://127.0.0.1:3112 http=http://127.0.0.1:3111 admin=http://127.0.0.1:3113';
/** A user without rights, for the test of a folder that cannot be written. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const namespaces = isRoot ? ['--net'] : ['--net', '--map-root-user'];
const problem = spawnSync('unshare', [...namespaces, 'ip', 'link', 'set', 'lo', 'up'], { encoding: 'utf8' });
const reason = problem.status === 0 ? undefined : (problem.error?.message ?? problem.stderr.trim());

let folder = '';
/** Packages of this repository that npm asked the registry for. It has none of them. */
let asked: readonly string[] = [];

/** A network with its own ports, which ends with the tests. */
let network: ChildProcess | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rivulet-installed-'));
  // The folder of a test is open to others, because one test runs as another user.
  chmodSync(folder, 0o755);
  const registry = await startLocalRegistry();
  const tarballs = (await sharedTarballs()).map(({ tarball }) => tarball);
  const npm = { npm_config_registry: registry.url, npm_config_cache: join(folder, '.npm'), npm_config_update_notifier: 'false' };
  await output(folder, 'npm', ['install', '--no-audit', '--no-fund', ...tarballs], npm);
  asked = [...registry.asked].filter((name) => /^@?rivulet\b/.test(name));
  await registry.close();
  network = spawn('unshare', [...namespaces, 'sh', '-c', 'ip link set lo up && echo up && exec sleep 3600'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (reason === undefined && network.stdout) await once(network.stdout, 'data');
});

afterAll(() => {
  network?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a program in the network of the tests. Its process group ends with the test. */
function spawnThere(cwd: string, command: readonly string[], uid?: number) {
  const enter = ['--target', String(network?.pid), '--net', ...(isRoot ? [] : ['--user', '--preserve-credentials'])];
  const as = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, '--clear-groups'];
  const child = spawn('nsenter', [...enter, '--', ...as, ...command], { cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const printed = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => (printed.stdout += String(text)));
  child.stderr.on('data', (text) => (printed.stderr += String(text)));
  const closed = once(child, 'close').then(([code]) => code as number | null);
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(-(child.pid ?? 0), name);
    } catch {
      // The group has ended.
    }
  };
  onTestFinished(async () => {
    signal('SIGKILL');
    await closed;
  });
  return { printed, closed, signal };
}

/** Starts the engine as a user does, and resolves when it is ready. */
async function startEngine(cwd: string) {
  const engine = spawnThere(cwd, ['npx', '--no', 'rivulet', 'start']);
  const seen = () => engine.printed.stdout || engine.printed.stderr.match(/start_failed.*/)?.[0];
  await expect.poll(seen, { timeout: 240_000 }).toBe(`${READY}\n`);
  return engine;
}

/** Runs a command to its end. */
async function runThere(cwd: string, command: readonly string[], uid?: number) {
  const { printed, closed } = spawnThere(cwd, command, uid);
  return { code: await closed, ...printed };
}

it('npm installs the tarballs, with nothing of this repository from a registry', () => {
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly resolved?: string }>>;
  };
  const ours = Object.entries(lock.packages).filter(([path]) => /node_modules\/(?:@rivulet\/[^/]+|rivulet)$/.test(path));
  expect(ours.map(([path]) => path).toSorted()).toEqual(
    ['@rivulet/client', '@rivulet/conformance', '@rivulet/engine', '@rivulet/protocol', '@rivulet/sdk', 'rivulet'].map(
      (name) => `node_modules/${name}`,
    ),
  );
  expect(ours.filter(([, { resolved }]) => resolved?.startsWith('file:') !== true)).toEqual([]);
  // npm may ask for them, and the registry knows none. An unpublished package would have no answer anywhere.
  expect(asked.filter((name) => /testkit|checker/.test(name))).toEqual([]);
});

it('the README of the conformance package works from the tarballs: the command lists its rules', async () => {
  const rules = await output(folder, join(folder, 'node_modules/.bin/rivulet-conformance'), ['--list']);
  expect(rules).toContain('WP-1');
});

describe.skipIf(reason !== undefined)(`npx rivulet start${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  it('runs the durable engine in an empty folder, and the README of `rivulet` works', async () => {
    const [, script = ''] = /```sh\n([\s\S]*?)```/.exec(readFileSync(join(folder, 'node_modules/rivulet/README.md'), 'utf8')) ?? [];
    const engine = await startEngine(folder);
    expect(readdirSync(join(folder, 'data')).toSorted()).toEqual(['state', 'streams']);
    const { code, stdout } = await runThere(folder, ['sh', '-ec', script]);
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^created, [\s\S]*m1 .*\{"text":"hello"\}\n$/) });
    engine.signal('SIGKILL');
    await engine.closed;
    const again = await startEngine(folder);
    const listed = await runThere(folder, ['npx', '--no', 'rivulet', 'list', 'chat', 'room-1']);
    expect(listed.stdout).toContain('{"text":"hello"}');
    // Ctrl-C in a terminal.
    again.signal('SIGINT');
    await again.closed;
    expect(again.printed.stderr).toContain('"event":"stopped"');
    const all = engine.printed.stderr + again.printed.stderr;
    expect(all).not.toContain(ROOT);
    expect(all).not.toContain('"level":"error"');
  });

  it('says which port is in use, or that another engine has the folder, and exits with 1', async () => {
    await startEngine(folder);
    const other = join(folder, 'other');
    mkdirSync(other);
    const ports = await runThere(other, [join(folder, 'node_modules/.bin/rivulet'), 'start']);
    expect({ code: ports.code, stdout: ports.stdout }).toEqual({ code: 1, stdout: '' });
    expect(ports.stderr).toMatch(
      /"code":"EADDRINUSE","reason":"[\w-]+: port 49134 is in use; stop the process that holds it, or .* in a file rivulet\.yaml"/,
    );
    const same = await runThere(folder, [join(folder, 'node_modules/.bin/rivulet'), 'start']);
    expect({ code: same.code, stdout: same.stdout }).toEqual({ code: 1, stdout: '' });
    expect(same.stderr).toMatch(/"code":"STORE_UNAVAILABLE","reason":"[^"]*data\/streams is in use by process \d+/);
  });

  it('says that it cannot write into a read-only folder, and exits with 1', async () => {
    const readOnly = join(folder, 'read-only');
    mkdirSync(readOnly, { mode: 0o555 });
    const { code, stdout, stderr } = await runThere(
      readOnly,
      [join(folder, 'node_modules/.bin/rivulet'), 'start'],
      isRoot ? NOBODY : undefined,
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/"code":"STORE_UNAVAILABLE","reason":"[^"]*EACCES[^"]*let the user that runs the engine read and write/);
    expect(existsSync(join(readOnly, 'data'))).toBe(false);
  });
});

it('the engine of the tarballs runs a configuration file of another name and place', async () => {
  const config = join(folder, 'engine.yaml');
  writeFileSync(config, 'workers:\n  - { name: iii-worker-manager, config: { port: 0 } }\n');
  const child = spawn(join(folder, 'node_modules/.bin/rivulet'), ['check-config', '--config', config], { cwd: tmpdir() });
  const [code] = (await once(child, 'close')) as [number | null];
  expect(code).toBe(0);
});
