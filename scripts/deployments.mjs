import './set-up/node-version.mjs';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { tryUnit } from './deployments/booted-unit.mjs';
import { buildImage } from './deployments/image.mjs';
import { KUBERNETES, OVERLAYS, render } from './deployments/kustomize.mjs';
import { ensureSystemPackages } from './set-up/debian-packages.mjs';
import { deploymentTool, ensureDeploymentTools, ensureTool } from './set-up/deployment-tools.mjs';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT, SetupError, say } from './set-up/workspace.mjs';
import { passes } from './testing/checks.mjs';

// Runs `npm run deployments [-- --write]`: renders the manifests with kustomize, compares them with the rendered files, boots systemd with
// the unit, and runs all tests of deployments. With --write it writes the rendered files. `npm test` runs the same tests, without kustomize
// and without the boot.

const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
try {
  await ensureInstalled(ROOT);
  await ensureSystemPackages(ROOT);
  await ensureBuilt(ROOT, ALL_PROJECTS);
  await ensureDeploymentTools(ROOT);
  for (const overlay of OVERLAYS) {
    const file = `${KUBERNETES}/rendered/${overlay}.yaml`;
    const rendered = await render(ROOT, overlay);
    if (values.write) {
      mkdirSync(join(ROOT, KUBERNETES, 'rendered'), { recursive: true });
      writeFileSync(join(ROOT, file), rendered);
    } else if (rendered !== readFileSync(join(ROOT, file), 'utf8')) {
      throw new SetupError(`${file} is not what kustomize renders; run npm run deployments -- --write`);
    }
    say(`${file}: as kustomize renders it`);
  }
  await ensureTool(ROOT, 'machine');
  const [base, machine] = [deploymentTool(ROOT, 'base'), deploymentTool(ROOT, 'machine')];
  if ('missing' in base) throw new SetupError(base.missing);
  if ('missing' in machine) throw new SetupError(machine.missing);
  for (const line of await tryUnit(ROOT, await buildImage(ROOT, base.path), machine.path)) say(`the unit under systemd ${line}`);
} catch (error) {
  fail(error);
}
const tests = ['container-files', 'container', 'compose', 'kubernetes', 'systemd'].map((name) => `${name}.test.ts`);
process.exitCode = (await passes('vitest/vitest.mjs', ['run', '--dir', 'scripts/test', ...tests])) ? 0 : 1;
