import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { manifestOf, PUBLISHED } from '../../packing/published.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe("the newcomer's kit", () => {
  it('releases the published packages with one version', () => {
    const { fixed }: { fixed: string[][] } = JSON.parse(read('.changeset/config.json'));
    expect(fixed).toEqual([PUBLISHED.map((name) => manifestOf(name).name)]);
  });

  it('runs the gate on each major version of Node that is supported', () => {
    const workflow = read('.github/workflows/ci.yml');
    expect(workflow).toContain('node: [20, 22, 24]');
    expect(workflow).toContain('.ci/run');
  });

  it('runs the gate in a clone with its history, and lets no push cancel the gate of a release', () => {
    const workflow = read('.github/workflows/ci.yml');
    const checkouts = workflow.match(/uses: actions\/checkout@/g) ?? [];
    expect(workflow.match(/uses: actions\/checkout@.*\n +with:\n(?: +#.*\n)* +fetch-depth: 0$/gm)).toHaveLength(checkouts.length);
    expect(workflow).toMatch(/^ +group: .*\$\{\{ github\.workflow \}\}-\$\{\{ github\.ref \}\}$/m);
  });

  it('opens the ports of the configuration in the dev container', () => {
    const container: { forwardPorts: number[] } = JSON.parse(read('.devcontainer/devcontainer.json'));
    for (const port of container.forwardPorts) expect(read('rivulet.yaml')).toContain(`port: ${port}`);
  });
});
