import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { expect, test } from 'vitest';

/** Returns a folder in which pnpm would have installed the package `one`, which needs the package `two`. */
function installedByPnpm(): string {
  const folder = directoryWith();
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const own = (name: string) => `node_modules/.pnpm/${name}@1.0.0/node_modules/${name}`;
  for (const name of ['one', 'two']) write(`${own(name)}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'main.js' }));
  write(`${own('one')}/main.js`, 'module.exports = require("two");');
  write(`${own('two')}/main.js`, 'module.exports = "loaded";');
  symlinkSync(join('.pnpm/one@1.0.0/node_modules/one'), join(folder, 'node_modules/one'));
  symlinkSync('../../two@1.0.0/node_modules/two', join(folder, 'node_modules/.pnpm/one@1.0.0/node_modules/two'));
  return folder;
}

const built = (file: string) => new URL(`../../dist/${file}`, import.meta.url).href;

/** The output of this process is a pipe, as under systemd, Docker and most supervisors. */
test.each([
  ['the log', 'logging/line-output.js', 'module.nonBlocking(1)'],
  ['the output of a command', 'cli/command/standard-output.js', 'new module.StandardOutput(process.stdout)'],
])('%s on a pipe leaves packages behind links to the loader of Node', (_name, file, use) => {
  const folder = installedByPnpm();
  const program = join(folder, 'program.mjs');
  const lines = [`const module = await import('${built(file)}');`, `${use};`, "process.stdout.write((await import('one')).default);"];
  writeFileSync(program, lines.join('\n'));
  expect(execFileSync(process.execPath, [program], { encoding: 'utf8' })).toBe('loaded');
});
