import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RUNTIMES, runtimeProgram, TESTED } from '../../runtimes/install.mjs';
import { type Measured, matrixOf, type Outcome, UNSUPPORTED, unexplained, withMatrix } from '../../runtimes/matrix.mjs';

const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const measured = JSON.parse(read('scripts/runtimes/measured.json')) as Measured;

const measurement = (id: string, peers: Readonly<Record<string, Outcome>>, failing: readonly string[] = []) => ({
  id,
  name: id,
  version: '1.0.0',
  conformance: { hold: 3, failing },
  engine: {},
  peers,
});

it('docs/runtimes.md shows the last measurement, of the runtimes and versions that the command installs', () => {
  const page = read('docs/runtimes.md');
  expect(page).toContain(matrixOf(measured));
  expect(withMatrix(page, matrixOf(measured))).toBe(page);
  expect(measured.measurements.map(({ id, version }) => [id, version])).toEqual(RUNTIMES.map(({ id, version }) => [id, version]));
  expect(unexplained(measured.measurements)).toEqual([]);
  for (const id of TESTED) expect(RUNTIMES.map((each) => each.id)).toContain(id);
});

it('each documented reason belongs to a failure of the last measurement', () => {
  for (const key of Object.keys(UNSUPPORTED)) {
    const [id, side, check] = key.split('/');
    const found = measured.measurements.find((each) => each.id === id);
    expect([key, found?.[side as 'engine' | 'peers'][check ?? '']]).toEqual([key, expect.any(String)]);
  }
});

it('a failure is a no, with its reason below if there is one, and otherwise fails the command', () => {
  const known = measurement('node-20', { 'own WebSocket': 'TypeError', watch: true });
  const unknown = measurement('bun', { 'own WebSocket': true, watch: 'AssertionError' }, ['ST-1']);
  const text = matrixOf({ date: '2026-11-30', platform: 'linux x64', measurements: [known, unknown] });
  expect(text).toMatch(/^\| own WebSocket +\| no \(1\) +\| yes +\|$/m);
  expect(text).toMatch(/^\| watch +\| yes +\| no +\|$/m);
  expect(text).toMatch(/^\| conformance, rules that hold \| 3 of 3 +\| 3 of 4 +\|$/m);
  expect(text).toMatch(/^1\. Node 20 has no WebSocket/m);
  expect(unexplained([known, unknown])).toEqual(['bun/conformance/ST-1', 'bun/peers/watch: AssertionError']);
});

it.each([
  ['an empty section', '\n\n'],
  ['a section without lines', ''],
  ['older tables', '\n\nMeasured on 2020-01-01:\n\n| a |\n| - |\n\n'],
])('the tables replace %s of a page', (_, section) => {
  const page = `# Runtimes\n\n<!-- measured -->${section}<!-- end -->\n\nText.\n`;
  expect(withMatrix(page, '| $1 |')).toBe('# Runtimes\n\n<!-- measured -->\n\n| $1 |\n\n<!-- end -->\n\nText.\n');
});

it('a page without a place for the tables is an error', () => {
  expect(() => withMatrix('# Runtimes\n\n<!-- measured -->\n', '| a |')).toThrow('<!-- end -->');
});

it('a missing runtime names the command that installs it', () => {
  const { missing } = runtimeProgram({ id: 'bun', name: 'Bun', version: '0.0.0', kind: 'bun' }) as { missing: string };
  expect(missing).toMatch(/^Bun 0\.0\.0 is not installed; `node scripts\/runtimes\/install\.mjs`/);
  expect(runtimeProgram({ id: 'own', name: 'Node', version: process.versions.node, kind: 'node' })).toEqual({ program: process.execPath });
});
