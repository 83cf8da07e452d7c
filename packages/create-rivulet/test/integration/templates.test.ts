import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { TEMPLATES } from '../../src/templates.js';
import { filesOf, writeProject } from '../../src/write-project.js';

// The projects use the packages of this repository in place of installed ones. `npm run try-create` installs packed packages.
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const PROGRAMS = { tsc: 'typescript/bin/tsc', vitest: 'vitest/vitest.mjs', vite: 'vite/bin/vite.js' };

const folder = mkdtempSync(join(tmpdir(), 'rivulet-templates-'));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

/** Runs a program as a script of package.json would. Rejects with its output when it fails. */
async function run(cwd: string, program: keyof typeof PROGRAMS, ...args: readonly string[]): Promise<void> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:VITEST|VITE_|NODE_|TEST$)/.test(name)));
  const child = spawn(process.execPath, [join(cwd, 'node_modules', PROGRAMS[program]), ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  expect(code, `${program} ${args.join(' ')}:\n${out}${err}`).toBe(0);
}

test.each(Object.entries(TEMPLATES))(
  'the project of the template %s has right types, passes its tests, and builds',
  async (name, template) => {
    const project = join(folder, name);
    writeProject(project, filesOf(name, template, undefined));
    symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
    // The steps of the scripts `typecheck`, `test` and `build`.
    await run(project, 'tsc');
    await run(project, 'vitest', 'run');
    await run(project, 'tsc', '-p', 'tsconfig.worker.json');
    expect(existsSync(join(project, 'dist/worker/main.js'))).toBe(true);
    if (!template.scripts.build.includes('vite build')) return;
    await run(project, 'vite', 'build', '--logLevel', 'warn');
    expect(existsSync(join(project, 'dist/page/index.html'))).toBe(true);
  },
);
