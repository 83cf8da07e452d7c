import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CliProcess, run } from '@rivulet/testkit/engines/cli-process';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/config-error.js';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { closeStoreDirectories, inspectStoreDirectories } from '../../src/config/store-directories.js';
import { problemsOf } from '../config-files.js';

const FILE = `workers:
  - name: iii-worker-manager
    config: { port: 0 }
  - name: iii-state
    config: { adapter: { name: kv, config: { store_method: file_based, file_path: ./data } } }
`;

/** Returns a directory with this mode, and a configuration that uses it. */
function over(mode: number) {
  const cwd = directoryWith({ 'iii-config.yaml': FILE });
  const path = join(cwd, 'data');
  mkdirSync(path);
  chmodSync(path, mode);
  return { cwd, path, config: loadConfig({ cwd, env: {}, lenient: false }) };
}

const modeOf = (path: string) => statSync(path).mode & 0o777;

describe('S37 the directory of a store', () => {
  it.each([0o777, 0o775, 0o757, 0o1777, 0o720, 0o702])('is refused when others may write into it: %o', (mode) => {
    const { config, path } = over(mode);
    expect(() => inspectStoreDirectories(config)).toThrow(ConfigError);
    expect(() => inspectStoreDirectories(config)).toThrow(`other users of this machine may write into ${path}`);
    expect(() => inspectStoreDirectories(config)).toThrow(`run chmod 700 ${path}`);
    expect(modeOf(path)).toBe(mode & 0o777);
  });

  it.each([0o755, 0o750, 0o711, 0o704, 0o700])('is closed when others may only read it, and the engine owns it: %o', (mode) => {
    const { config, path } = over(mode);
    expect(inspectStoreDirectories(config)).toEqual([]);
    expect(modeOf(path)).toBe(mode);
    expect(closeStoreDirectories(config)).toEqual([]);
    expect(modeOf(path)).toBe(0o700);
  });

  it('counts as what a link to it leads to', () => {
    const { cwd, path } = over(0o777);
    const other = directoryWith({ 'iii-config.yaml': FILE });
    symlinkSync(path, join(other, 'data'));
    expect(() => inspectStoreDirectories(loadConfig({ cwd: other, env: {}, lenient: false }))).toThrow('may write into');
    expect(cwd).not.toBe(other);
  });

  it('stops start and check-config with exit 78 when it is a link that leads nowhere', async () => {
    const cwd = directoryWith({ 'iii-config.yaml': FILE });
    symlinkSync(join(cwd, 'absent'), join(cwd, 'data'));
    for (const command of ['start', 'check-config']) {
      const { code, stderr } = await run([command], cwd);
      expect([command, code]).toEqual([command, 78]);
      expect(stderr).toContain('is a link that leads nowhere');
    }
  });

  it('stops start and check-config with exit 78 when others may write into it', async () => {
    const { cwd } = over(0o777);
    for (const command of ['start', 'check-config']) {
      const { code, stderr } = await run([command], cwd);
      expect(code).toBe(78);
      expect(stderr).toMatch(/error: .*iii-state file_path: .*run chmod 700/);
    }
  });

  it('is made for its owner only, whatever the umask', async () => {
    const cwd = directoryWith({ 'iii-config.yaml': FILE });
    const before = process.umask(0);
    const engine = new CliProcess(['start'], cwd);
    process.umask(before);
    await engine.output('stdout', /^ready /m);
    expect(modeOf(join(cwd, 'data'))).toBe(0o700);
    const files = readdirSync(join(cwd, 'data'));
    expect(files.map((file) => file.replace(/-[\da-f]{16}/, ''))).toEqual(
      expect.arrayContaining(['data.mdb', 'lock.mdb', 'rivulet-store.json', 'rivulet-store.lock', 'rivulet-store.lock.sock']),
    );
    for (const file of files) expect([file, modeOf(join(cwd, 'data', file))]).toEqual([file, 0o600]);
  });
});

it('S10 no message shows the password of a Redis', () => {
  const redis = (url: string) => `workers: [{ name: iii-state, config: { adapter: { name: redis, config: { redis_url: "${url}" } } } }]`;
  for (const url of ['http://user:pass-word@host', 'redis://user:pass-word@ho st', 'redis://user:pass-word@[::1'])
    expect([...new Set(problemsOf(redis(url)).map(({ message }) => message))]).toEqual([
      'this value is not valid; expected a redis:// or rediss:// address',
    ]);
});
