import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../set-up/child-process.mjs';
import {
  isOlder,
  markRustCompiled,
  PYTHON_SDKS,
  parseVersion,
  pythonClient,
  pythonFolder,
  RUST_PROJECTS,
  requirementsFile,
  rustClient,
  rustFingerprint,
} from '../../set-up/language-clients.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rivulet-clients-'));
  for (const file of PYTHON_SDKS.map(requirementsFile)) copy(file);
  for (const folder of Object.values(RUST_PROJECTS)) for (const file of ['Cargo.toml', 'Cargo.lock', 'src']) copy(`${folder}/${file}`);
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function copy(path: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  cpSync(join(ROOT, path), join(root, path), { recursive: true });
}

/** Creates the files that an installation of iii-sdk 0.11.6 for Python leaves. */
function markPrepared(): string {
  const folder = pythonFolder(root, '0.11.6');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'complete'), '');
  return join(folder, 'bin', 'python');
}

/** Creates the files that the compilation of the Rust worker leaves. */
function markCompiled(): void {
  mkdirSync(join(root, '.rivulet/clients/cargo/debug'), { recursive: true });
  writeFileSync(join(root, '.rivulet/clients/cargo/debug/rust-worker'), '');
  markRustCompiled(root, 'rust-worker', rustFingerprint(root, 'rust-worker'));
}

describe('a client of another language', () => {
  it('that was not prepared says which command does it', () => {
    expect(pythonClient(root, '0.25.0')).toEqual({
      missing: expect.stringMatching(/0\.25\.0 .*node scripts\/set-up\/language-clients\.mjs/),
    });
    expect(rustClient(root, 'rust-worker')).toEqual({
      missing: expect.stringMatching(/rust-worker .*node scripts\/set-up\/language-clients\.mjs/),
    });
  });

  it('in Python belongs to its list of packages, and is made anew for another list', () => {
    const program = markPrepared();
    expect(pythonClient(root, '0.11.6')).toEqual({ program });
    writeFileSync(join(root, requirementsFile('0.11.6')), 'iii-sdk==0.11.6\n');
    expect(pythonClient(root, '0.11.6')).toHaveProperty('missing');
  });

  it('in Rust is compiled anew when a source changes', () => {
    markCompiled();
    expect(rustClient(root, 'rust-worker')).toHaveProperty('program');
    writeFileSync(join(root, RUST_PROJECTS['rust-worker'], 'src/main.rs'), 'fn main() {}\n');
    expect(rustClient(root, 'rust-worker')).toHaveProperty('missing');
  });
});

describe('what is installed', () => {
  it.each(PYTHON_SDKS)('for Python %s is named at one version, all of it', (version) => {
    const lines = readFileSync(join(ROOT, requirementsFile(version)), 'utf8')
      .split('\n')
      .filter(Boolean);
    const packages = lines.filter((line) => !line.startsWith('#'));
    expect(packages).toContain(`iii-sdk==${version}`);
    for (const line of packages) expect(line).toMatch(/^[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*$/);
  });

  it('for Rust is the same in every project, so that it is compiled once', () => {
    const locked = Object.entries(RUST_PROJECTS).map(([name, folder]) =>
      readFileSync(join(ROOT, folder, 'Cargo.lock'), 'utf8').replaceAll(`name = "${name}"`, 'name = "the project"'),
    );
    const dependencies = locked.map((text) => text.split('[[package]]').filter((entry) => !entry.includes('"the project"')));
    expect(new Set(dependencies.map((entries) => entries.join(''))).size).toBe(1);
    const unchecked = dependencies[0]?.filter((entry) => entry.includes('name = ') && !entry.includes('checksum = '));
    expect(unchecked).toEqual([]);
  });
});

describe('versions of toolchains', () => {
  it.each([
    ['Python 3.11.7', [3, 11]],
    ['cargo 1.95.0 (f2d3ce0bd 2026-03-21)', [1, 95]],
    ['nonsense', undefined],
  ])('%s', (text, version) => {
    expect(parseVersion(text)).toEqual(version);
  });

  it.each([
    [[3, 9], true],
    [[3, 10], false],
    [[3, 11], false],
    [[2, 12], true],
    [[4, 0], false],
  ])('%o is older than 3.10: %s', (version, older) => {
    expect(isOlder(version, [3, 10])).toBe(older);
  });
});

it('a command that takes too long is killed', async () => {
  const code = await run(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { cwd: root, timeoutMs: 200 });
  expect(code).not.toBe(0);
});
