import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { StreamError } from '../../src/index.js';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const docs = read('../../../../docs/client.md');

/** Returns the names in the first cells of the tables of a section. */
function rowsOf(title: string): string[] {
  const section = docs.slice(docs.indexOf(`## ${title}`)).split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| ((?:`[^`]+`(?:, )?)+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)[^`]*`/g)].map(([, name = '']) => name),
  );
}

const membersOf = (source: string, type: string) => {
  const body = source.slice(source.indexOf(`interface ${type}`)).split('\n}')[0] ?? '';
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)[?(:<]/gm)].map(([, name = '']) => name);
};

it('docs/client.md has every option, in order', () => {
  expect(rowsOf('Options')).toEqual(membersOf(read('../../src/client-options.ts'), 'ConnectOptions'));
});

it('docs/client.md has every member of a view and every listener', () => {
  const source = read('../../src/subscription/view.ts');
  const members = ['View<T>', 'GroupView<T>', 'ItemView<T>', 'ViewListeners<T>'].flatMap((type) => membersOf(source, type));
  expect(rowsOf('Views').sort()).toEqual(members.sort());
});

it('docs/client.md has every error of the client', () => {
  const codes = [...read('../../src/access/stream-error.ts').matchAll(/^ \* - `([A-Z_]+)`/gm)].map(([, code]) => code);
  expect(rowsOf('Errors')).toEqual(codes);
});

it('docs/errors.md has an entry for each code that the client makes, where `docs` of an error leads', () => {
  const sources = readdirSync(new URL('../../src', import.meta.url), { recursive: true, encoding: 'utf8' });
  const texts = sources.filter((name) => name.endsWith('.ts')).map((name) => read(`../../src/${name}`));
  const codes = new Set(texts.flatMap((text) => [...text.matchAll(/StreamError\('([A-Z_]+)'/g)].map(([, code = '']) => code)));
  expect(codes.size).toBeGreaterThan(10);
  const page = read('../../../../docs/errors.md');
  expect([...codes].filter((code) => !page.includes(`<a id="${code}"></a>`))).toEqual([]);
  expect(new StreamError('HOLE', 'x').docs).toBe('docs/errors.md#HOLE');
});
