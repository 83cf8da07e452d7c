import type { Random } from '@rivulet/testkit/random';
import { STRANGE_STRINGS } from '@rivulet/testkit/strange-strings';

/** Strange texts of the tests, and further ones for the fuzzer. */
export const STRANGE_TEXTS: readonly string[] = [
  ...STRANGE_STRINGS,
  '\udfff',
  'a\ud83d',
  '\ufeff{}',
  '\u200d\u200d',
  'e\u0301'.repeat(20),
  '\r\n',
  '\n\t\u001b[2J',
  'hasOwnProperty',
  'length',
  'Infinity',
  '0',
  '%2e%2e%2f',
  '%c0%af',
  '../../etc/passwd',
  '**',
  '(*)',
  ':',
  '{}',
  '$1$&',
  '\\',
  '"',
  "'; DROP TABLE x; --",
  'javascript:alert(1)',
  'null',
  'undefined',
  'true',
  'é'.repeat(129),
  'x'.repeat(1_025),
  'y'.repeat(9_000),
  ' '.repeat(4_096),
  '\u{10ffff}',
  '\ud800'.repeat(100),
];

/** JSON texts of unusual values. */
const STRANGE_JSON: readonly string[] = [
  ...'null true false 0 -0 -1 1.5 2147483648 9007199254740993 -9007199254740993 1e308 1e400 -1e400 1e-400 [] [[]] [null] {} {"a":{}}'.split(
    ' ',
  ),
  '{"length":1000000000}',
  '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
  '{"then":1}',
  '{"toJSON":1}',
  '{"then":{"then":null}}',
  `[${'0,'.repeat(60)}0]`,
  `${'['.repeat(70)}${']'.repeat(70)}`,
  `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`,
];

const STRANGE_KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  '',
  'type',
  'data',
  'id',
  'length',
  '\u0000',
  '\ud800',
  'then',
];

/** Returns a JSON value that a peer may send in any field. */
export function strangeValue(random: Random): unknown {
  return random.chance(0.5) ? random.pick(STRANGE_TEXTS) : (JSON.parse(random.pick(STRANGE_JSON)) as unknown);
}

export function strangeJson(random: Random): string {
  return random.chance(0.5) ? JSON.stringify(random.pick(STRANGE_TEXTS)) : random.pick(STRANGE_JSON);
}

type Tree = Record<string, unknown>;

/** Replaces, adds or removes one value anywhere in the tree. */
function spoil(tree: object, random: Random): void {
  let holder = tree as Tree;
  for (let depth = 0; depth < 8; depth++) {
    const keys = Object.keys(holder);
    const key = keys.length === 0 || random.chance(0.1) ? random.pick(STRANGE_KEYS) : random.pick(keys);
    const inner = Object.hasOwn(holder, key) ? holder[key] : undefined;
    if (typeof inner === 'object' && inner !== null && random.chance(0.7)) {
      holder = inner as Tree;
      continue;
    }
    if (Array.isArray(holder) && key === 'length') return;
    if (random.chance(0.2)) Reflect.deleteProperty(holder, key);
    else Object.defineProperty(holder, key, { value: strangeValue(random), enumerable: true, writable: true, configurable: true });
    return;
  }
}

const PIECES: readonly string[] = [
  '',
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\\',
  '\\u',
  '\u0000',
  '\ud83d',
  '9'.repeat(30),
  '1e999',
  'null',
  '\ufeff',
  '//',
];

/** Removes, repeats and replaces characters of a text. */
function cutUp(text: string, random: Random): string {
  let result = text;
  for (let changes = random.between(1, 4); changes > 0; changes--) {
    const at = random.below(result.length + 1);
    result = result.slice(0, at) + random.pick(PIECES) + result.slice(at + random.below(4));
  }
  return result;
}

export type Seed = (random: Random) => object;

/** Returns a message as text: valid, wrong in one to three values, or barely JSON. */
export function mutated(seeds: readonly Seed[], random: Random): string {
  const tree = random.pick(seeds)(random);
  const how = random.next();
  if (how > 0.35 && how < 0.9) for (let changes = random.between(1, 3); changes > 0; changes--) spoil(tree, random);
  const text = JSON.stringify(tree);
  if (how < 0.9) return text;
  return how < 0.96 ? cutUp(text, random) : strangeJson(random);
}
