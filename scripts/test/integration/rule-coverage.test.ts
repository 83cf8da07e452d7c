import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../rule-coverage.mjs', import.meta.url));
const RULES = JSON.stringify(['WP-1', 'WP-2', 'ST-1', 'SA-4', 'SM-1'].map((id) => ({ id, title: `what ${id} says` })));

function run(files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), 'rivulet-rules-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries({ 'packages/conformance/rules.json': RULES, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT, root], { encoding: 'utf8' });
  return { status, lines: stdout.trim().split('\n') };
}

const TESTS = [
  "it('WP-1 WP-2 the first frame', () => {});",
  "describe('ST-1 shapes', () => {});",
  "it.each(Object.entries(table))('SA-4 %s', () => {});",
].join('\n');

it('counts rules that titles name, also those of tables', () => {
  const sdk = "it.each([\n  ['SM-1 0.2.1 connects', 1],\n])('%s', () => {});";
  const { status, lines } = run({ 'packages/a/test/deep/a.test.ts': TESTS, 'examples/b/test/b.test.ts': sdk });
  expect(lines).toEqual(['5 of 5 rules have a test that names them']);
  expect(status).toBe(0);
});

it('lists what no test names; a comment or another file is no test', () => {
  const { status, lines } = run({ 'packages/a/test/a.test.ts': `${TESTS}\n// SM-1`, 'packages/a/src/a.ts': "it('SM-1', () => {});" });
  expect(lines).toEqual(['4 of 5 rules have a test that names them', 'SM-1   no test  what SM-1 says']);
  expect(status).toBe(1);
});

it('takes a line of COMPATIBILITY.md as an excuse', () => {
  const { status, lines } = run({ 'packages/a/test/a.test.ts': TESTS, 'COMPATIBILITY.md': '- SM-1: no such clients here.\n' });
  expect(lines[1]).toBe('SM-1   excused  what SM-1 says');
  expect(status).toBe(0);
});

it('does not take what is said about the command for titles of tests', () => {
  const { lines } = run({
    'packages/a/test/a.test.ts': TESTS,
    'packages/conformance/test/integration/command.test.ts': "it('x', () => expect(failing).toEqual(['SM-1']));",
  });
  expect(lines[0]).toBe('4 of 5 rules have a test that names them');
});

it('refuses an id that is no rule', () => {
  const { status, lines } = run({ 'packages/a/test/a.test.ts': `${TESTS}\nit('SM-1 WP-99 x', () => {});` });
  expect(lines[1]).toBe('WP-99  is named by a test, but is no rule');
  expect(status).toBe(1);
});

it('finds that each of the 105 rules of this repository has a test, without an excuse', () => {
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT], { encoding: 'utf8' });
  expect(stdout).toBe('105 of 105 rules have a test that names them\n');
  expect(status).toBe(0);
});
