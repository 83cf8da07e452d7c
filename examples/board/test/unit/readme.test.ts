import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

test('the lines that the README of the project shows are lines of the board', () => {
  const code = new Set(
    readdirSync(file('page'))
      .filter((name) => /\.tsx?$/.test(name))
      .flatMap((name) => readFileSync(file(`page/${name}`), 'utf8').split('\n'))
      .map((line) => line.trim()),
  );
  const block = /^```tsx\n(.*?)^```$/ms.exec(readFileSync(file('../../README.md'), 'utf8'))?.[1] ?? '';
  const shown = block.split('\n').flatMap((line) => line.trim() || []);
  expect(shown).toHaveLength(10);
  expect(shown.filter((line) => !code.has(line))).toEqual([]);
});
