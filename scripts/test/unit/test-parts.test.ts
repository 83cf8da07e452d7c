import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../../set-up/workspace.mjs';
import { ONCE, readPart } from '../../testing/test-parts.mjs';

interface Job {
  readonly strategy: { readonly matrix: Readonly<Record<string, unknown>> };
  readonly steps: readonly { readonly uses?: string; readonly run?: string; readonly with?: Readonly<Record<string, unknown>> }[];
}
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('the parts of the gate', () => {
  it('are all tests without --part', () => {
    expect(readPart([])).toEqual({ part: 'all', vitest: [], isFiltered: false });
    expect(readPart(['packages/engine'])).toEqual({ part: 'all', vitest: ['packages/engine'], isFiltered: true });
    expect(readPart(['--part', 'all'])).toEqual(readPart([]));
    expect(() => readPart(['--part', 'some'])).toThrow('--part takes all, versions or once');
  });

  it('share no test file and leave none out', () => {
    for (const file of ONCE) expect([file, existsSync(join(ROOT, file))]).toEqual([file, true]);
    const versions = readPart(['--part', 'versions']);
    expect(versions).toMatchObject({ part: 'versions', isFiltered: false });
    expect(versions.vitest).toEqual(ONCE.flatMap((file) => ['--exclude', file]));
    expect(readPart(['--part', 'once'])).toEqual({ part: 'once', vitest: ONCE, isFiltered: true });
  });

  it('prepare what their tests need', () => {
    const folders = ['scripts/test/integration', 'scripts/test/system'];
    const files = folders.flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`));
    const needing = files.filter((file) => /\b(?:deploymentTool\(|runtimeProgram\(|baseCommit\(\)|prepareSite\(\))/.test(read(file)));
    expect(needing.toSorted()).toEqual(ONCE.toSorted());
  });

  it('run in CI: one on each version of Node, the other in one job, and both keep what the set-up makes', () => {
    const { jobs } = parse(read('.github/workflows/ci.yml')) as { readonly jobs: { readonly gate: Job } };
    const { strategy, steps } = jobs.gate;
    expect(strategy.matrix).toEqual({ node: [20, 22, 24], part: ['versions'], include: [{ node: 24, part: 'once' }] });
    expect(steps.filter(({ run }) => run?.includes('.ci/run --part ${{ matrix.part }}'))).toHaveLength(1);
    const cache = steps.find(({ uses }) => uses?.startsWith('actions/cache@'))?.with ?? {};
    expect(cache['key']).toContain('${{ matrix.part }}');
    const hashed = [...String(cache['key']).matchAll(/'([^']+)'/g)].map(([, path = '']) => path);
    expect(hashed).toContain('package-lock.json');
    for (const path of hashed) expect([path, existsSync(join(ROOT, path.replace(/\/?\*.*$/, '')))]).toEqual([path, true]);
    const archived = steps.map(({ run = '' }) => /tar --(create|extract).* --file "\$RUNNER_TEMP\/prepared.tar"/.exec(run)?.[1]);
    expect(archived.filter((each) => each !== undefined)).toEqual(['extract', 'create']);
    expect(cache['path']).toBe('${{ runner.temp }}/prepared.tar');
  });
});
