import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CLI, whenReady } from '@rivulet/testkit/engines/built-engine';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { deploymentTool } from '../../set-up/deployment-tools.mjs';
import { ROOT } from '../../set-up/workspace.mjs';
import { neededVariables, read, stopSeconds } from '../deployment-files.js';

const exec = promisify(execFile);
const UNIT = 'ops/systemd/rivulet.service';
const text = read(UNIT);
const valueOf = (key: string) => [...text.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value);
/** Exit code for a mistake in the configuration. */
const CONFIGURATION = '78';
/** Highest exposure that the unit may have, in tenths, from 0 (safe) to 100. */
const MOST_EXPOSURE = 15;

/** Makes a folder that systemd takes for the root of a machine with a `rivulet` command. */
function makeRoot(unit: string): string {
  const root = mkdtempSync(join(tmpdir(), 'rivulet-systemd-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const folder of ['etc/systemd/system', 'usr/local/bin', 'usr/lib/systemd']) mkdirSync(join(root, folder), { recursive: true });
  symlinkSync('usr/lib', join(root, 'lib'));
  cpSync('/usr/lib/systemd/system', join(root, 'usr/lib/systemd/system'), { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(root, 'usr/local/bin/rivulet'), '#!/bin/sh\n');
  chmodSync(join(root, 'usr/local/bin/rivulet'), 0o755);
  writeFileSync(join(root, 'etc/systemd/system/rivulet.service'), unit);
  return root;
}

const analyze = (root: string, ...words: readonly string[]) =>
  exec('systemd-analyze', [...words, `--root=${root}`, 'rivulet.service'], { env: { PATH: process.env.PATH, SYSTEMD_COLORS: '0' } });

describe('the unit', () => {
  test('is accepted by systemd, which reports mistakes', async () => {
    expect(await analyze(makeRoot(text), 'verify')).toEqual({ stdout: '', stderr: '' });
    const { stderr } = await analyze(makeRoot(text.replace('KillMode', 'KilMode')), 'verify');
    expect(stderr).toContain("Unknown key 'KilMode'");
  });

  test('exposes little of the machine', async () => {
    const { stdout } = await analyze(makeRoot(text), 'security', '--offline=yes', `--threshold=${MOST_EXPOSURE}`);
    expect(stdout).toMatch(/Overall exposure level for rivulet\.service: \d/);
    const open = makeRoot(text.replaceAll(/^Protect.*$/gm, ''));
    const refused = { stdout: expect.stringContaining('Overall exposure') as string, code: 1 };
    await expect(analyze(open, 'security', '--offline=yes', `--threshold=${MOST_EXPOSURE}`)).rejects.toMatchObject(refused);
  });

  test('starts the configuration for one engine with its secrets, and leaves it the time of an ordered stop', () => {
    expect(valueOf('ExecStart')).toEqual(['rivulet start --config /etc/rivulet/rivulet.yaml']);
    for (const name of neededVariables('/etc/rivulet/rivulet.yaml')) expect(text).toMatch(new RegExp(`^# .*\\b${name}\\b.*$`, 'm'));
    expect(Number.parseInt(valueOf('TimeoutStopSec')[0] ?? '0')).toBeGreaterThan(stopSeconds());
    expect(valueOf('RestartPreventExitStatus')).toEqual([CONFIGURATION]);
  });
});

/** Returns the system calls that the unit allows. */
function allowedCalls(): ReadonlySet<string> {
  const { stdout } = spawnSync('systemd-analyze', ['syscall-filter', '--no-pager'], { encoding: 'utf8', env: { PATH: process.env.PATH } });
  const groups = new Map<string, string[]>();
  let members: string[] = [];
  for (const line of stdout.split('\n')) {
    if (line.startsWith('@')) groups.set(line.trim(), (members = []));
    else if (line.startsWith('    ') && !line.trim().startsWith('#')) members.push(line.trim());
    else if (line.startsWith('#')) members = [];
  }
  const expand = (name: string): string[] => (name.startsWith('@') ? (groups.get(name) ?? []).flatMap(expand) : [name]);
  // systemd adds the group of calls that every process needs.
  const allowed = new Set(expand('@default'));
  for (const filter of valueOf('SystemCallFilter')) {
    const isRemoved = filter.startsWith('~');
    for (const call of filter.replace('~', '').split(' ').flatMap(expand)) {
      if (isRemoved) allowed.delete(call);
      else allowed.add(call);
    }
  }
  return allowed;
}

describe('system calls', () => {
  const base = deploymentTool(ROOT, 'base');
  const ofImage = 'path' in base ? [{ name: 'the Node of the image', node: join(base.path, 'usr/local/bin/node') }] : [];
  let allowed: ReadonlySet<string>;
  beforeAll(() => {
    allowed = allowedCalls();
  });

  test('of a change of the clock or a trace are refused', () => {
    expect(allowed.size).toBeGreaterThan(200);
    expect(['clock_settime', 'ptrace', 'mount', 'setuid', 'bpf'].filter((call) => allowed.has(call))).toEqual([]);
  });

  test.each([{ name: 'this Node', node: process.execPath }, ...ofImage])(
    'of a start, a write and a stop are allowed: $name',
    async ({ node }) => {
      const folder = mkdtempSync(join(tmpdir(), 'rivulet-strace-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      writeFileSync(join(folder, 'rivulet.yaml'), read('ops/config/rivulet.yaml').replaceAll(/port: \d+/g, 'port: 0'));
      const secrets = Object.fromEntries(
        neededVariables('/etc/rivulet/rivulet.yaml').map((name) => [name, 'a-secret-of-at-least-thirty-two-bytes']),
      );
      const trace = join(folder, 'trace');
      const engine = spawn('strace', ['-f', '-qq', '-o', trace, node, CLI, 'start', '--config', 'rivulet.yaml'], {
        cwd: folder,
        env: { PATH: process.env.PATH, ...secrets },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      onTestFinished(() => void engine.kill('SIGKILL'));
      let log = '';
      engine.stderr.on('data', (data: Buffer) => (log += data.toString()));
      const admin = /admin=(\S+)/.exec(await whenReady(engine, 300_000, () => log))?.[1];
      const headers = { authorization: `Bearer ${secrets.ADMIN_TOKEN}`, 'content-type': 'application/json' };
      const item = `${admin}/api/streams/chat/groups/room-1/items/m1`;
      expect((await fetch(item, { method: 'PUT', headers, body: '1' })).status).toBe(200);
      // The only child of strace is the engine.
      const pid = Number(readFileSync(`/proc/${engine.pid}/task/${engine.pid}/children`, 'utf8'));
      process.kill(pid, 'SIGTERM');
      const [code] = (await once(engine, 'close')) as [number | null];
      expect([code, log]).toEqual([0, expect.stringContaining('"event":"stopped"')]);
      const calls = readFileSync(trace, 'utf8').split('\n');
      const used = new Set(calls.flatMap((line) => /^\d+ +([a-z0-9_]+)\(/.exec(line)?.[1] ?? []));
      expect(used.size).toBeGreaterThan(40);
      expect([...used].filter((call) => !allowed.has(call))).toEqual([]);
      const families = new Set(calls.flatMap((line) => /^\d+ +socket\((AF_\w+)/.exec(line)?.[1] ?? []));
      expect(valueOf('RestrictAddressFamilies')[0]?.split(' ')).toEqual(expect.arrayContaining([...families]) as string[]);
    },
  );
});

test('the commands of docs/deploying.md make secrets with which both configurations are right', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [, commands = ''] = /```sh\n(for name in [^`]+)```/.exec(read('docs/deploying.md')) ?? [];
  await exec('sh', ['-ec', commands], { cwd: folder });
  expect(statSync(join(folder, 'secrets.env')).mode & 0o777).toBe(0o600);
  const secrets = readFileSync(join(folder, 'secrets.env'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('=') as [string, string]);
  const env = { PATH: process.env.PATH, ...Object.fromEntries(secrets), REDIS_URL: 'redis://127.0.0.1:6379', LISTEN: '0.0.0.0' };
  for (const name of ['rivulet', 'rivulet-redis']) {
    const file = join(ROOT, `ops/config/${name}.yaml`);
    // Notes and warnings go to stderr.
    expect(await exec(process.execPath, [CLI, 'check-config', '--config', file], { cwd: folder, env })).toEqual({
      stdout: `ok ${file}\n`,
      stderr: '',
    });
  }
});

test('the documented backup as root works beside the running engine', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-root-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['etc', 'state', 'backups', 'bin']) mkdirSync(join(folder, name));
  symlinkSync(CLI, join(folder, 'bin/rivulet'));
  writeFileSync(join(folder, 'etc/rivulet.yaml'), read('ops/config/rivulet.yaml').replaceAll(/port: \d+/g, 'port: 0'));
  const names = neededVariables('/etc/rivulet/rivulet.yaml');
  writeFileSync(join(folder, 'etc/secrets.env'), names.map((name) => `${name}=a-secret-of-at-least-thirty-two-bytes\n`).join(''));
  const [, documented = ''] = /^(\(set -a; .*rivulet backup .*\))$/m.exec(read('docs/deploying.md')) ?? [];
  const places = { '/etc/rivulet': 'etc', '/var/lib/rivulet': 'state', '/var/backups': 'backups' };
  const command = Object.entries(places).reduce((all, [place, name]) => all.replaceAll(place, join(folder, name)), documented);
  const env = { PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
  const start = command.replace(/rivulet backup \S+/, 'exec rivulet start');
  const engine = spawn('sh', ['-c', start], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void engine.kill('SIGKILL'));
  await whenReady(engine, 300_000, () => '');
  const { stdout } = await exec('sh', ['-c', command], { env });
  expect(stdout).toContain(', from the running engine');
});
