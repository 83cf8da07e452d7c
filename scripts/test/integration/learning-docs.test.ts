import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { run } from '@rivulet/testkit/engines/cli-process';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../set-up/workspace.mjs';

// Tutorials, guides and explanations quote files, and show configurations. The quotes must be in these files, and the engine must accept
// the configurations. tutorials.test.ts and guides.test.ts run the programs.

const PAGES = ['tutorials', 'guides', 'explain'].flatMap((folder) =>
  readdirSync(join(ROOT, 'docs', folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${folder}/${file}`),
);
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** Blocks of code behind "From [name](path):". */
function quotesOf(page: string): readonly { readonly from: string; readonly code: string }[] {
  return [...read(page).matchAll(/From\s+\[[^\]]*\]\(([^)#]*)[^)]*\):\n\n```\w+\n([^]*?)^```$/gm)].map(([, from = '', code = '']) => ({
    from: join(dirname(page), from),
    code,
  }));
}

test('each quoted block is in its file', () => {
  const quotes = PAGES.flatMap((page) => quotesOf(page).map((quote) => ({ page, ...quote })));
  expect(quotes.length).toBeGreaterThan(20);
  expect(PAGES.flatMap((page) => read(page).match(/\bFrom\s+\[/g) ?? []).length).toBe(quotes.length);
  const wrong = quotes.filter(({ from, code }) => !read(from).includes(code.trimEnd()));
  expect(wrong.map(({ page, from, code }) => `${page} quotes ${from}: ${code.split('\n')[0]}`)).toEqual([]);
});

describe('the engine accepts the configuration', () => {
  const configurations = PAGES.flatMap((page) => {
    const blocks = [...read(page).matchAll(/^```yaml\n(workers:\n[^]*?)^```$/gm)].map(([, code = '']) => code);
    return blocks.map((code, index) => ({ name: `${page}, number ${index + 1}`, code }));
  });

  test.each(configurations)('of $name', async ({ code }) => {
    const folder = directoryWith({ 'rivulet.yaml': code });
    const secrets = { ADMIN_TOKEN: 'a'.repeat(64), VIEWER_TOKEN: 'b'.repeat(64) };
    const { code: exitCode, stdout } = await run(['check-config', '--config', 'rivulet.yaml'], folder, secrets);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `ok ${join(folder, 'rivulet.yaml')}\n` });
  });
});

test('each page says where to go from here', () => {
  const without = PAGES.filter((page) => !/^## Where to go from here$/m.test(read(page)));
  expect(without).toEqual([]);
});
