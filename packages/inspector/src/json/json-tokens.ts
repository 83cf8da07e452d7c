/** One word of a JSON text: a bracket, a comma, a colon, a string, a number or a literal. */
export interface JsonToken {
  readonly kind: 'open' | 'close' | 'comma' | 'colon' | 'string' | 'number' | 'literal';
  readonly text: string;
  /** The place of its first character in the text. */
  readonly at: number;
}

export interface JsonFault {
  readonly at: number;
  readonly message: string;
}

export type Tokens = { readonly kind: 'ok'; readonly tokens: readonly JsonToken[] } | ({ readonly kind: 'fault' } & JsonFault);

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[\w$.-]+/y;
const MARKS: Readonly<Record<string, JsonToken['kind']>> = {
  '{': 'open',
  '[': 'open',
  '}': 'close',
  ']': 'close',
  ',': 'comma',
  ':': 'colon',
};
const LITERALS: ReadonlySet<string> = new Set(['true', 'false', 'null']);

/** Divides a text into the words of JSON. It does not check their order. */
export function tokensOf(text: string): Tokens {
  const tokens: JsonToken[] = [];
  let at = 0;
  for (;;) {
    at += matchAt(SPACE, text, at)?.length ?? 0;
    const first = text[at];
    if (first === undefined) return { kind: 'ok', tokens };
    const token = tokenAt(text, at, first);
    if ('message' in token) return { kind: 'fault', ...token };
    tokens.push(token);
    at += token.text.length;
  }
}

function tokenAt(text: string, at: number, first: string): JsonToken | JsonFault {
  const mark = MARKS[first];
  if (mark !== undefined) return { kind: mark, text: first, at };
  if (first === '"') {
    const string = matchAt(STRING, text, at);
    return string === undefined
      ? { at, message: 'this string is not closed, or has a character that needs a backslash' }
      : { kind: 'string', text: string, at };
  }
  const word = matchAt(WORD, text, at) ?? first;
  if (LITERALS.has(word)) return { kind: 'literal', text: word, at };
  if (/^[-\d]/.test(word)) {
    const number = matchAt(NUMBER, text, at);
    const rest = number === undefined ? undefined : matchAt(WORD, text, at + number.length);
    return number === undefined || rest !== undefined ? { at, message: 'this is no number of JSON' } : { kind: 'number', text: number, at };
  }
  return {
    at,
    message:
      first === "'"
        ? 'strings need double quotes'
        : `${JSON.stringify(word.slice(0, 40))} has no meaning in JSON; texts need double quotes`,
  };
}

/** Returns what a sticky expression matches at a place, or `undefined` for nothing. */
function matchAt(expression: RegExp, text: string, at: number): string | undefined {
  expression.lastIndex = at;
  const found = expression.exec(text)?.[0];
  return found === undefined || found === '' ? undefined : found;
}
