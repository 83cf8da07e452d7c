import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { registerWorker, stream } from '@rivulet/sdk';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, onTestFinished, test } from 'vitest';
import { manifestOf, PUBLISHED } from '../../packing/published.mjs';
import { ROOT } from '../../set-up/workspace.mjs';
import { PROJECTS, projectOf, readInstallPage } from '../../try-packages/install-page.mjs';
import { write } from '../../try-packages/packages.mjs';

// `npm run try-packages -- --only vite,next,esm,commonjs` does all of docs/install.md from packed packages, in a browser too.

/** Makes a project of the page that uses the packages of this repository. `change` replaces texts such as ports. */
function projectIn(name: keyof typeof PROJECTS, change: (text: string) => string = (text) => text): string {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-install-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const { files, commands } = projectOf(name);
  write(folder, Object.fromEntries(Object.entries(files).map(([path, code]) => [path, change(code)])));
  const [, type = ''] = /^npm pkg set type=(\w+)$/m.exec(commands[0]?.join('\n') ?? '') ?? [];
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type }));
  return folder;
}

async function run(cwd: string, ...args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, output: out + err };
}

test.each(Object.keys(PROJECTS) as (keyof typeof PROJECTS)[])(
  'the types of the project %s are right, and those of the packages',
  async (name) => {
    const folder = projectIn(name);
    const compilers = projectOf(name)
      .commands.flat()
      .filter((command) => command.startsWith('npx tsc'));
    expect(compilers.length).toBeGreaterThan(0);
    for (const command of compilers) {
      const words = command.split(' ').slice(2);
      expect(await run(folder, join(ROOT, 'node_modules/typescript/bin/tsc'), ...words)).toEqual({ code: 0, output: '' });
    }
  },
);

test.each(['esm', 'commonjs'] as const)('the worker of the project %s writes its note', async (name) => {
  const { workerUrl } = await startTestEngine();
  const folder = projectIn(name, (code) => code.replaceAll('ws://127.0.0.1:49134', workerUrl));
  await run(folder, join(ROOT, 'node_modules/typescript/bin/tsc'));
  const child = spawn(process.execPath, ['dist/worker.js'], { cwd: folder, stdio: 'inherit' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const worker = registerWorker(workerUrl);
  onTestFinished(() => worker.shutdown());
  await expect.poll(() => stream(worker).list('notes', 'all')).toEqual([{ text: 'from the worker' }]);
  await worker.trigger({ function_id: 'notes::add', payload: { id: 'n1', text: 'another' } });
  expect(await stream(worker).list('notes', 'all')).toEqual([{ text: 'from the worker' }, { text: 'another' }]);
});

test('the programs in TypeScript of docs/streams.md and docs/optimistic-writes.md have right types', async () => {
  const folder = projectIn('esm');
  const programs = ['streams', 'optimistic-writes'].flatMap((name) => {
    const page = readFileSync(join(ROOT, `docs/${name}.md`), 'utf8');
    return [...page.matchAll(/^```ts\n(import [^]*?)^```$/gm)].map(([, code = ''], index) => [`${name}-${index}.ts`, code] as const);
  });
  expect(programs.map(([name]) => name)).toEqual(['streams-0.ts', 'optimistic-writes-0.ts']);
  write(folder, Object.fromEntries(programs));
  const { compilerOptions } = JSON.parse(readFileSync(join(folder, 'tsconfig.json'), 'utf8')) as { readonly compilerOptions: object };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: programs.map(([name]) => name) }));
  expect(await run(folder, join(ROOT, 'node_modules/typescript/bin/tsc'))).toEqual({ code: 0, output: '' });
});

test('the command that creates a project is right', async () => {
  const [line = ''] = readInstallPage().get('Create a project')?.commands.flat() ?? [];
  const { version } = manifestOf('create-rivulet');
  expect(line).toContain(`/path/to/packages/create-rivulet-${version}.tgz create-rivulet my-app`);
  const words = line.split(' create-rivulet ').at(-1)?.split(' ') ?? [];
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-install-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const made = await run(folder, join(ROOT, 'packages/create-rivulet/bin/create-rivulet.js'), ...words);
  // The words are right; only the folder of the document does not exist here.
  expect(made).toEqual({ code: 1, output: expect.stringContaining('(PACKAGE_NOT_FOUND)') });
  const [shorter = ''] = line.replace('--yes ', '').split(' --template react');
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(`    ${shorter} --packages /path/to/packages\n`);
});

test('the page names packages that are published, and the versions that the templates use', () => {
  const page = readFileSync(join(ROOT, 'docs/install.md'), 'utf8');
  const published = PUBLISHED.map((name) => manifestOf(name).name);
  const table = [...page.matchAll(/^\| `([@a-z/-]+)` \|/gm)].map(([, name]) => name);
  expect(table.filter((name) => !published.includes(name ?? ''))).toEqual([]);
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'packages/create-rivulet/package.json'), 'utf8')) as {
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  const exact = [...page.matchAll(/ (typescript|react|react-dom)@(\d+\.\d+\.\d+)/g)].filter(([, , version]) => version !== '5.9.3');
  expect(exact.length).toBeGreaterThan(3);
  expect(exact.filter(([, name = '', version]) => devDependencies[name] !== version)).toEqual([]);
});
