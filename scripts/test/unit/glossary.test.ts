import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../set-up/workspace.mjs';

const GLOSSARY = 'docs/glossary.md';
const rows = [...readFileSync(join(ROOT, GLOSSARY), 'utf8').matchAll(/^\| (.+) \| (.+) \|$/gm)]
  .slice(1)
  .map(([, word = '', meaning = '']) => ({ word: word.replaceAll('`', ''), meaning }));

/** Returns the text of all sources and documents, without tests and without the glossary. */
function textOfTheProject(): string {
  return execFileSync('git', ['ls-files', '--', '*.md', '*.ts', '*.mjs'], { cwd: ROOT, encoding: 'utf8' })
    .split('\n')
    .filter((file) => file !== '' && file !== GLOSSARY && !/(^|\/)test\//.test(file) && !file.startsWith('bench/results/'))
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('\n')
    .toLowerCase();
}

describe('docs/glossary.md', () => {
  it('has each word once, in alphabetical order, with a meaning in one line', () => {
    const words = rows.map(({ word }) => word.replaceAll(/[^a-z]/g, ' '));
    expect(words.length).toBeGreaterThan(50);
    expect(words).toEqual([...new Set(words)].toSorted());
    expect(rows.filter(({ meaning }) => meaning.length > 200)).toEqual([]);
  });

  it('has only words that the code or the documents use', () => {
    const text = textOfTheProject();
    const unused = rows.filter(({ word }) => !new RegExp(`\\b${word.replaceAll(/[- ]/g, '[-_ \\n]')}`).test(text));
    expect(unused).toEqual([]);
  });
});
