import { JSON_DEPTH } from '@rivulet/protocol';
import { type JsonFault, type JsonToken, tokensOf } from './json-tokens.js';

/*
 * The editor of the page formats and checks the text itself. `JSON.parse` would round numbers with many digits, and each browser words its
 * errors in another way. The check walks the words of the text with a stack of open brackets:
 *
 * ```
 *   formatJson('{"a":[1,2]}')   { kind: 'ok', text: '{\n  "a": [\n    1,\n    2\n  ]\n}' }
 *   formatJson('{"a":}')        { kind: 'fault', line: 1, column: 6, message: 'a value must stand here' }
 * ```
 */

export type Formatted =
  | { readonly kind: 'ok'; readonly text: string }
  | { readonly kind: 'fault'; readonly line: number; readonly column: number; readonly message: string };

/** The next word that the text may have. */
type Expected = 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end' | 'nothing';

const MESSAGES: Readonly<Record<Expected, string>> = {
  value: 'a value must stand here',
  'value or end': 'a value or ] must stand here',
  key: 'a name in double quotes must stand here',
  'key or end': 'a name in double quotes or } must stand here',
  colon: 'a colon must stand here',
  'comma or end': 'a comma or the closing bracket must stand here',
  nothing: 'the value has ended before this',
};

/** Returns a JSON text with one value in a line, or the first place that is no JSON. Numbers and strings stay as they are written. */
export function formatJson(text: string): Formatted {
  const found = tokensOf(text);
  const checked = checkOrder(found.kind === 'ok' ? found.tokens : tokensBefore(text, found.at), text.trimEnd().length);
  // A fault in the order may come before one in a word.
  const fault = found.kind === 'fault' && (checked === undefined || checked.at >= found.at) ? found : checked;
  if (fault !== undefined) return { kind: 'fault', ...placeOf(text, fault.at), message: fault.message };
  return { kind: 'ok', text: found.kind === 'ok' ? layOut(found.tokens) : text };
}

function tokensBefore(text: string, end: number): readonly JsonToken[] {
  const found = tokensOf(text.slice(0, end));
  return found.kind === 'ok' ? found.tokens : [];
}

/** Returns the first word that may not stand in its place; `end` is the place of an end that comes too early. */
function checkOrder(tokens: readonly JsonToken[], end: number): JsonFault | undefined {
  const open: string[] = [];
  let expected: Expected = 'value';
  for (const token of tokens) {
    const next = follow(token, expected, open);
    if (next === undefined) return { at: token.at, message: MESSAGES[expected] };
    if (open.length > JSON_DEPTH) return { at: token.at, message: `more than ${JSON_DEPTH} brackets are open` };
    expected = next;
  }
  return expected === 'nothing' ? undefined : { at: end, message: open.length === 0 ? 'write a JSON value' : MESSAGES[expected] };
}

/** Returns the word that may follow a word, or `undefined` if the word may not stand here. Keeps the stack of open brackets. */
function follow(token: JsonToken, expected: Expected, open: string[]): Expected | undefined {
  const after = () => (open.length === 0 ? 'nothing' : 'comma or end');
  const isValue = expected === 'value' || expected === 'value or end';
  switch (token.kind) {
    case 'open':
      if (!isValue) return undefined;
      open.push(token.text);
      return token.text === '{' ? 'key or end' : 'value or end';
    case 'close': {
      const mayEnd = expected === 'comma or end' || expected === (token.text === '}' ? 'key or end' : 'value or end');
      if (!mayEnd || open.at(-1) !== (token.text === '}' ? '{' : '[')) return undefined;
      open.pop();
      return after();
    }
    case 'comma':
      if (expected !== 'comma or end') return undefined;
      return open.at(-1) === '{' ? 'key' : 'value';
    case 'colon':
      return expected === 'colon' ? 'value' : undefined;
    case 'string':
      if (expected === 'key' || expected === 'key or end') return 'colon';
      return isValue ? after() : undefined;
    case 'number':
    case 'literal':
      return isValue ? after() : undefined;
  }
}

function layOut(tokens: readonly JsonToken[]): string {
  const lines: string[] = [];
  let depth = 0;
  const newLine = () => lines.push(`\n${'  '.repeat(depth)}`);
  for (const [index, { kind, text }] of tokens.entries()) {
    const isEmpty = kind === 'close' && tokens[index - 1]?.kind === 'open';
    if (kind === 'close') {
      depth--;
      if (!isEmpty) newLine();
    }
    lines.push(kind === 'colon' ? ': ' : text);
    if (kind === 'open') depth++;
    if (kind === 'comma' || (kind === 'open' && tokens[index + 1]?.kind !== 'close')) newLine();
  }
  return lines.join('');
}

function placeOf(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  return { line, column: at - before.lastIndexOf('\n') };
}
