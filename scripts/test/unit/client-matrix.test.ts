import { describe, expect, it } from 'vitest';
import { collectCells, isDocumented, matrixTables } from '../../testing/client-matrix.mjs';

type Shown = readonly { client: string; capability: string }[];

const ran = (state: string, ...clientMatrix: Shown) => ({ result: () => ({ state }), meta: () => ({ clientMatrix: [...clientMatrix] }) });
const module = (...tests: readonly ReturnType<typeof ran>[]) => ({ children: { allTests: () => tests } });
const cell = (client: string, capability: string) => ({ client, capability });

/** Returns the cells of a client in the tables, by column. */
function said(text: string, client: string): Record<string, string> {
  const lines = text.split('\n').map((line) => line.split('|').map((part) => part.trim()));
  const head = lines[0] ?? [];
  const row = lines.find(([, name]) => name === client) ?? [];
  return Object.fromEntries(head.slice(2, -1).map((column, n) => [column, row[n + 2] ?? '']));
}

describe('the table of clients', () => {
  it('says yes where every test passed, no where one failed, and nothing where none ran', () => {
    const modules = [
      module(ran('passed', cell('node 0.2.1', 'calls')), ran('passed', cell('node 0.2.1', 'calls'), cell('node 0.2.1', 'void'))),
      module(ran('failed', cell('node 0.2.1', 'void')), ran('skipped', cell('node 0.2.1', 'state'))),
    ];
    const row = said(matrixTables(collectCells(modules)), 'node 0.2.1');
    expect(row).toMatchObject({ calls: 'yes', void: 'no', state: '' });
  });

  it('has no place for a test that was skipped', () => {
    expect(matrixTables(collectCells([module(ran('skipped', cell('node 0.2.1', 'state')))]))).toBe('');
  });

  it('is one for workers and one for stream clients, in the order of versions', () => {
    const clients = ['node 0.11.2', 'node 0.2.1', 'node 0.9.0'].map((client) => ran('passed', cell(client, 'calls')));
    const text = matrixTables(collectCells([module(...clients, ran('passed', cell('a browser', 'join')))]));
    expect([...text.matchAll(/^\| (node \S+|a browser|Workers|Stream clients) /gm)].map(([, name]) => name)).toEqual([
      'Workers',
      'node 0.2.1',
      'node 0.9.0',
      'node 0.11.2',
      'Stream clients',
      'a browser',
    ]);
    expect(said(text, 'node 0.9.0')).not.toHaveProperty('join');
  });

  it('is empty when no test of a client ran', () => {
    expect(matrixTables(collectCells([module(ran('passed'))]))).toBe('');
  });
});

describe('a page that holds the table', () => {
  const tables = (...clients: readonly string[]) =>
    matrixTables(collectCells([module(...clients.map((client) => ran('passed', cell(client, 'calls'))))]));
  const page = `# Clients\n\n${tables('node 0.2.1', 'python 0.25.0')}\nMore.\n`;

  it('says what the tests showed', () => {
    expect(isDocumented(page, tables('node 0.2.1', 'python 0.25.0'), true)).toBe(true);
  });

  it('is wrong when a cell differs, a client is new or one is missing', () => {
    expect(isDocumented(page.replace('yes', 'no '), tables('node 0.2.1', 'python 0.25.0'), true)).toBe(false);
    expect(isDocumented(page, tables('node 0.2.1', 'python 0.25.0', 'rust 0.25.0'), true)).toBe(false);
    expect(isDocumented(page, tables('node 0.2.1'), true)).toBe(false);
    expect(isDocumented(page, '', false)).toBe(false);
  });

  it('stands where a client could not be run', () => {
    expect(isDocumented(page, tables('node 0.2.1'), false)).toBe(true);
    expect(isDocumented(page, tables('rust 0.25.0'), false)).toBe(false);
  });
});
