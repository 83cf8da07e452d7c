import { describe, expect, it } from 'vitest';
import { commentsOf } from '../../prose/comments.mjs';
import { proseFindings } from '../../prose/rules.mjs';

const rulesOf = (file: string, source: string) => proseFindings(file, source).map(({ line, rule }) => `${line}: ${rule}`);
const LONG = `A client ${'is in '.repeat(15)}.`;

describe('the reader of comments', () => {
  it('finds comments of both kinds, with the line at which they begin', () => {
    const source = ['/** First. */', 'const a = 1; // Second.', '// Third', '// goes on.', '/*', ' * Fourth.', ' */'].join('\n');
    expect(commentsOf(source)).toEqual([
      { line: 1, text: 'First.' },
      { line: 2, text: 'Second.' },
      { line: 3, text: 'Third\ngoes on.' },
      { line: 5, text: 'Fourth.' },
    ]);
  });

  it.each([
    ['a string', 'const a = \'// no\'; const b = "/* no */";'],
    ['a template', 'const a = `// ${b ? `/* no */` : "//"} // no`;'],
    ['a regular expression', String.raw`const a = /\/\* no/.test(b); const c = [/[/]/* 2];`.replace('* 2', '')],
  ])('finds none in %s', (_where, source) => {
    expect(commentsOf(source)).toEqual([]);
  });
});

describe('the rules of prose', () => {
  it.each([
    ['an opener that hides the actor', '// What the engine keeps.', ['1: opens with "What"']],
    ['a sentence above 30 words', `/** ${LONG} */`, ['1: 32 words']],
    ['a retired phrase', '// The client is told of it.', ['1: retired phrase "is told"']],
    ['a retired phrase in a message', "log('the worker is gone');", ['1: retired phrase "is gone"']],
    ['a retired name', 'const x = new SteadyTime();', ['1: retired name "SteadyTime"']],
    ['a comment that is too wide', `// ${'Wide. '.repeat(25)}`, ['1: wider than 140 columns']],
  ])('refuse %s', (_what, source, expected) => {
    expect(rulesOf('a.ts', source)).toEqual(expected);
  });

  it('let a deprecated alias keep its retired name', () => {
    expect(rulesOf('a.ts', '/** @deprecated Use `UnlessLeased`. */\ntype UnlessHeld = 1;\ntype UnlessHeld2 = UnlessHeld;')).toEqual([
      '3: retired name "UnlessHeld"',
    ]);
  });

  it('read the comments of a Lua script', () => {
    const script = ["local note = '-- Of code'", '-- Of a script.', '--', '-- The engine reads it.'].join('\n');
    expect(rulesOf('a.lua', script)).toEqual(['2: opens with "Of"']);
  });

  it('refuse a retired file name', () => {
    expect(rulesOf('packages/x/src/steady-time.ts', '')).toEqual(['1: retired file name']);
  });

  it('read a page: paragraphs, cells and widths, but neither code nor headings', () => {
    const page = [
      '# Of headings',
      '',
      'Of a paragraph.',
      '',
      '```',
      'Of code.',
      '```',
      '',
      `| ${'cell '.repeat(45)} |`,
      '|---|',
      '| Who |',
      '',
    ];
    expect(rulesOf('a.md', page.join('\n'))).toEqual([
      '3: opens with "Of"',
      '9: a cell of 224 characters',
      '9: 45 words',
      '11: opens with "Who"',
    ]);
    expect(rulesOf('a.md', `${'The page is wide. '.repeat(10)}\n`)).toEqual(['1: wider than 140 columns']);
    expect(rulesOf('a.md', 'A [link](https://example.org/Of) and `Of code`. Short.\n')).toEqual([]);
  });

  it('count code as one word, and take a question for what it is', () => {
    expect(rulesOf('a.ts', `// The call \`${'a b '.repeat(28)}\` fails.`)).toEqual([]);
    expect(rulesOf('a.md', 'What does it cost?\n')).toEqual([]);
  });
});
