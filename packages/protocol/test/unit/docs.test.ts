import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CLOSE_CODES } from '../../src/close-codes.js';
import { PEER_ERROR_CODES } from '../../src/error-docs.js';
import { ERROR_CODES } from '../../src/errors.js';
import { LIMITS } from '../../src/limits.js';

/** Returns the rows of all tables with these columns, in order. A row is the list of its trimmed cells. */
function tableOf(file: string, ...columns: readonly string[]): string[][] {
  const lines = readFileSync(fileURLToPath(new URL(`../../../../docs/${file}`, import.meta.url)), 'utf8').split('\n');
  const header = `| ${columns.join(' | ')} |`;
  const rows: string[][] = [];
  let isInside = false;
  for (const [index, line] of lines.entries()) {
    isInside = line.startsWith('|') && (isInside || line === header);
    if (!isInside || line === header || lines[index - 1] === header) continue;
    rows.push(
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
  }
  if (rows.length === 0) throw new Error(`docs/${file} has no table with the columns ${columns.join(', ')}`);
  return rows;
}

/** Returns the source files that may use codes, without the table of codes. */
function sources(): string[] {
  return ['../../src/', '../../../engine/src/'].flatMap((folder) => {
    const path = fileURLToPath(new URL(folder, import.meta.url));
    const files = readdirSync(path, { recursive: true, encoding: 'utf8' });
    return files.filter((file) => file.endsWith('.ts') && file !== 'errors.ts').map((file) => readFileSync(path + file, 'utf8'));
  });
}

/** The first cell of a code. Its anchor is the target of `ERROR_DOCS`. */
const entryOf = (code: string) => `<a id="${code}"></a>\`${code}\``;
const yesOrNo = (truth: boolean) => (truth ? 'yes' : 'no');
const withoutLast = (row: readonly string[]) => row.slice(0, -1);
const lastOf = (row: readonly string[]) => row.at(-1);

describe('docs/errors.md', () => {
  const errors = tableOf('errors.md', 'Code', 'Meaning', 'Retry', 'Remedy');
  const closes = tableOf('errors.md', 'Code', 'Meaning', 'Reconnect', 'Remedy');

  it('has one row for every error code, in order, with its meaning and whether to retry, and no other row', () => {
    const owed = Object.entries(ERROR_CODES).map(([code, { when, retryable }]) => [entryOf(code), when, yesOrNo(retryable)]);
    expect(errors.map(withoutLast)).toEqual(owed);
  });

  it('has one row for every close code, in order, with its meaning and whether to reconnect, and no other row', () => {
    const owed = Object.values(CLOSE_CODES).map(({ code, when, reconnect }) => [String(code), when, yesOrNo(reconnect)]);
    expect(closes.map(withoutLast)).toEqual(owed);
  });

  it('has one row for every code that only the client and the SDK use, in order, and no other row', () => {
    const rows = tableOf('errors.md', 'Code', 'From', 'Meaning', 'Remedy of the caller');
    expect(rows.map(([entry]) => entry)).toEqual(PEER_ERROR_CODES.map(entryOf));
    expect(rows.filter((row) => row.length !== 4 || lastOf(row) === '')).toEqual([]);
    expect(PEER_ERROR_CODES.filter((code) => code in ERROR_CODES)).toEqual([]);
  });

  it('says Reserved of exactly the codes that no source names', () => {
    const texts = sources();
    const unused = Object.keys(ERROR_CODES).filter((code) => !texts.some((text) => text.includes(`'${code}'`)));
    const reserved = errors.filter((row) => lastOf(row)?.startsWith('Reserved: ')).map(([entry]) => entry);
    expect(reserved).toEqual(unused.map(entryOf));
  });

  it('says of every code what to do', () => {
    expect([...errors, ...closes].filter((row) => row.length !== 4 || lastOf(row) === '')).toEqual([]);
  });
});

describe('docs/limits.md', () => {
  const rows = tableOf('limits.md', 'Limit', 'Value', 'Applies to', 'At the limit');

  it('has one row for every limit, in order, with its value, and no other row', () => {
    const listed = rows.map(([name, value = '']) => [name, Number(/^(\d+) [a-z]+$/.exec(value)?.[1])]);
    expect(listed).toEqual(Object.entries(LIMITS).map(([name, value]) => [`\`${name}\``, value]));
  });

  it('gives a limit in bytes exactly where the name says so', () => {
    const inBytes = rows.filter(([, value = '']) => value.endsWith(' bytes')).map(([name = '']) => name.slice(1, -1));
    expect(inBytes).toEqual(Object.keys(LIMITS).filter((name) => name.endsWith('Bytes')));
  });

  it('says of every limit what happens, with no code that docs/errors.md lacks', () => {
    expect(rows.filter((row) => row.length !== 4 || lastOf(row) === '')).toEqual([]);
    const known = new Set<string>([...Object.keys(ERROR_CODES), ...Object.values(CLOSE_CODES).map(({ code }) => String(code))]);
    const named = rows.flatMap((row) => {
      const last = lastOf(row) ?? '';
      const closes = [...last.matchAll(/closes with (\d+)/g)];
      const fails = [...last.matchAll(/with `([A-Za-z_]+)`/g)];
      return [...closes, ...fails].map(([, code = '']) => code);
    });
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((code) => !known.has(code))).toEqual([]);
  });
});
