import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { refuseCredentials } from '../../src/cli/command/access.js';
import { EXIT, type ExitCode } from '../../src/cli/command/exit-codes.js';
import { CommandFailure, errorLines } from '../../src/cli/command/failure.js';
import { readJson } from '../../src/cli/command/json-input.js';
import { jsonLines } from '../../src/cli/command/json-lines.js';
import { milliseconds } from '../../src/cli/command/numbers.js';
import { printRows, type Row } from '../../src/cli/command/rows.js';
import { streamUrl } from '../../src/cli/items/stream-connection.js';
import { UnreadChanges } from '../../src/cli/items/unread-changes.js';
import { operationOf } from '../../src/cli/items/update-words.js';
import { printable } from '../../src/logging/printable.js';

function recorded(more: object = {}) {
  const printed = { out: '', err: '' };
  const context = {
    cwd: '/',
    env: {},
    isTerminal: false,
    out: (text: string) => void (printed.out += text),
    err: (text: string) => void (printed.err += text),
    ...more,
  };
  return { printed, context };
}

describe('a word of update', () => {
  it.each<[string, unknown]>([
    ['text=hi', { type: 'set', path: 'text', value: 'hi' }],
    ['text=', { type: 'set', path: 'text', value: '' }],
    ['url=a:=b+=c', { type: 'set', path: 'url', value: 'a:=b+=c' }],
    ['a:b=c', { type: 'set', path: 'a:b', value: 'c' }],
    ['text=two\nlines', { type: 'set', path: 'text', value: 'two\nlines' }],
    ['n:=5', { type: 'set', path: 'n', value: 5 }],
    ['n:={"a":[1]}', { type: 'set', path: 'n', value: { a: [1] } }],
    ['n:=', { type: 'remove', path: 'n' }],
    ['n+=1', { type: 'increment', path: 'n', by: 1 }],
    ['n-=2.5', { type: 'decrement', path: 'n', by: 2.5 }],
    ['n+=-1e3', { type: 'increment', path: 'n', by: -1000 }],
    ['tags++=a', { type: 'append', path: 'tags', value: 'a' }],
    ['tags++:={"a":1}', { type: 'append', path: 'tags', value: { a: 1 } }],
    ['{"type":"remove","path":"a=b"}', { type: 'remove', path: 'a=b' }],
    ['[{"type":"remove","path":"a"}]', [{ type: 'remove', path: 'a' }]],
  ])('%j is an operation', (word, operation) => {
    expect(operationOf(word)).toEqual(operation);
  });

  it.each(['', 'text', '=1', 'n+=x', 'n-=', 'n:=text', 'tags++:=x', '{"a"', '+=1'])('%j is refused', (word) => {
    expect(() => operationOf(word)).toThrow(CommandFailure);
  });
});

it.each<[string, number | undefined]>([
  ['500ms', 500],
  ['30s', 30_000],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
  ['30', undefined],
  ['s', undefined],
  ['-1s', undefined],
  ['1.5s', undefined],
  ['1 s', undefined],
  ['1s ', undefined],
])('the duration %j has %s milliseconds', (text, ms) => expect(milliseconds(text)).toBe(ms));

describe('a value', () => {
  const read = (word: string | undefined, stdin?: Readable & { isTTY?: boolean }) =>
    readJson(word, 'the value', recorded(stdin === undefined ? {} : { stdin }).context);

  it('is a word, or comes from stdin', async () => {
    expect(await read('{"a":1}')).toEqual({ a: 1 });
    expect(await read('-', Readable.from(['[1', ',2]']))).toEqual([1, 2]);
    expect(await read(undefined, Readable.from([Buffer.from('"ä"').subarray(0, 2), Buffer.from('"ä"').subarray(2)]))).toBe('ä');
  });

  it.each<[string | undefined, (Readable & { isTTY?: boolean }) | undefined, RegExp]>([
    ['hi', undefined, /^the value is no JSON: hi; a text needs quotes/],
    ['9007199254740993', undefined, /a number that JSON does not carry exactly/],
    ['['.repeat(1_000), undefined, /^the value is nested deeper than/],
    [undefined, undefined, /^the value is missing/],
    [undefined, Object.assign(Readable.from(['1']), { isTTY: true }), /^the value is missing/],
    ['-', Readable.from(['']), /^the value is no JSON/],
    ['-', Readable.from([Buffer.alloc(16_777_217, 32)]), /^the value on stdin is larger than 16777216 bytes$/],
  ])('%j is refused', async (word, stdin, message) => {
    await expect(read(word, stdin)).rejects.toThrow(expect.objectContaining({ exit: 64, message: expect.stringMatching(message) }));
  });
});

describe('rows', () => {
  const row = (id: string, text: string): Row => ({ value: { id, text }, cells: [id, text] });
  async function* pages(...all: (readonly Row[])[]) {
    yield* all;
  }
  async function* failing() {
    yield [row('a', 'x')];
    throw new CommandFailure('TIMEOUT', 'no answer', 75);
  }
  const table = { json: false, name: 'items', columns: ['ID', 'TEXT'] };

  it('are a table, whose columns are as wide as the first page needs', async () => {
    const { printed, context } = recorded({ columns: 12 });
    expect(await printRows(context, table, pages([row('a', 'x'), row('long', 'a long text')], [row('longest', 'y')]))).toBe(0);
    expect(printed.out).toBe('ID    TEXT\na     x\nlong  a lon…\nlongest  y\n');
  });

  it('are one JSON value, also after a failure', async () => {
    const first = recorded();
    expect(await printRows(first.context, { ...table, json: true }, pages([row('a', 'x'), row('b', 'y')], [], [row('c', 'z')]))).toBe(0);
    expect(JSON.parse(first.printed.out)).toEqual({
      items: [
        { id: 'a', text: 'x' },
        { id: 'b', text: 'y' },
        { id: 'c', text: 'z' },
      ],
      ok: true,
    });
    const second = recorded();
    expect(await printRows(second.context, { ...table, json: true }, failing())).toBe(75);
    expect(JSON.parse(second.printed.out)).toEqual({
      items: [{ id: 'a', text: 'x' }],
      ok: false,
      error: { code: 'TIMEOUT', message: 'no answer' },
    });
  });

  it('end with an error line on stderr', async () => {
    const { printed, context } = recorded();
    expect(await printRows(context, table, failing())).toBe(75);
    expect(printed).toEqual({ out: 'ID  TEXT\na   x\n', err: 'error: no answer (TIMEOUT)\nsee docs/errors.md#TIMEOUT\n' });
  });

  it('stop when nobody reads them', async () => {
    const { printed, context } = recorded({ outputClosed: AbortSignal.abort() });
    expect(await printRows(context, table, failing())).toBe(0);
    expect(printed).toEqual({ out: 'ID  TEXT\na   x\n', err: '' });
  });
});

it('names the entry in the docs for a code of the engine, the client or the SDK, and for no other', () => {
  const lines = (code: string, exit?: ExitCode) => errorLines(code, 'no answer', exit).split('\n').slice(1);
  expect(lines('OVERLOADED')).toEqual(['see docs/errors.md#OVERLOADED', '']);
  expect(lines('NO_CONNECTION')).toEqual(['see docs/errors.md#NO_CONNECTION', '']);
  expect(lines('CONNECT_FAILED')).toEqual(['see docs/errors.md#CONNECT_FAILED', '']);
  expect([lines('INVALID_ARGUMENTS', EXIT.usage), lines('ENOENT'), lines('toString'), lines('APP_CODE')]).toEqual([[''], [''], [''], ['']]);
});

it('prints no control character', () => {
  expect(printable('a\u001b[2Jb\u009bc\n')).toBe('a\\u001b[2Jb\\u009bc\\u000a');
  expect(jsonLines({ a: '\u001b\u009b' })).toBe('{\n  "a": "\\u001b\\u009b"\n}\n');
  expect(printable('\u202e\u2066\u200f\u061c\u2028\u2029')).toBe('\\u202e\\u2066\\u200f\\u061c\\u2028\\u2029');
  expect(jsonLines(['\u202e'])).toBe('[\n  "\\u202e"\n]\n');
});

it.each<[flags: Record<string, string>, env: Record<string, string>, url: string]>([
  [{}, {}, 'ws://127.0.0.1:3112'],
  [{}, { RIVULET_URL: 'ws://10.0.0.7:49134' }, 'ws://10.0.0.7:3112'],
  [{ url: 'wss://key@rivulet.example/worker?x=1' }, { RIVULET_URL: 'ws://10.0.0.7:49134' }, 'wss://key@rivulet.example:3112'],
  [{ url: 'ws://[::1]:49134' }, {}, 'ws://[::1]:3112'],
  [{ url: 'nonsense' }, {}, 'ws://127.0.0.1:3112'],
  [{ url: 'ws://a:1' }, { RIVULET_STREAM_URL: 'wss://b/streams' }, 'wss://b/streams'],
  [{ 'stream-url': 'ws://c:5' }, { RIVULET_STREAM_URL: 'wss://b/streams' }, 'ws://c:5'],
])('the stream port of %j and %j is %s', (flags, env, url) => {
  const input = { words: [], flag: () => false, value: (name: string) => flags[name], values: () => [] };
  expect(streamUrl(input, { env })).toBe(url);
});

it.each(['http://u:pw@host', 'http:/\\u:pw@host/path', 'ftp://u@host', 'u:pw@host', '//u:pw@host'])(
  'the address %s has credentials',
  (address) => {
    expect(() => refuseCredentials(address, '--url')).toThrow(CommandFailure);
  },
);

it.each(['http://host/a@b', 'http://host?a@b', 'http://[::1]:3113', 'nonsense'])('the address %s has no credentials', (address) => {
  expect(() => refuseCredentials(address, '--url')).not.toThrow();
});

it('counts the changes that wait for a slow reader, and the present items once only', () => {
  const unread = { length: 0 };
  const changes = new UnreadChanges(unread);
  const print = (characters: number) => {
    changes.add(characters);
    unread.length += characters;
  };
  print(5);
  changes.printPresent(() => print(1_000));
  print(10);
  expect(changes.length).toBe(15);
  unread.length -= 505;
  expect(changes.length).toBe(10);
  changes.printPresent(() => print(1_000));
  expect(changes.length).toBe(1_010);
  unread.length = 0;
  expect(changes.length).toBe(0);
  changes.printPresent(() => print(1_000));
  expect(changes.length).toBe(0);
});
