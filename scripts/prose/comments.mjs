/**
 * Extracts comments from TypeScript and JavaScript. It knows strings, templates and regular expressions well enough to skip them.
 *
 * @typedef {{ line: number, text: string }} Block  Text of one comment without its markers. `line` is the first line, counted from 1.
 */

const REGEX_MAY_FOLLOW = new Set(['(', ',', '=', ':', '[', '!', '&', '|', '?', '{', '}', ';', '+', '-', '*', '%', '<', '>', '~', '^', '']);
const KEYWORDS_BEFORE_REGEX = /\b(return|typeof|case|in|of|yield|await|throw|new|delete|void)$/;

/**
 * Returns the comments of a source in order. Adjacent `//` lines form one block.
 *
 * @param {string} source
 * @returns {Block[]}
 */
export function commentsOf(source) {
  const scanner = new Scanner(source);
  while (scanner.step());
  return scanner.found.map(({ line, text }) => ({ line, text }));
}

/** Reads a source from its start to its end, one token in each step. */
class Scanner {
  /** @type {(Block & { kind: 'line' | 'block', end: number, column: number })[]} */
  found = [];
  #at = 0;
  #line = 1;
  #lineStart = 0;
  /** The last token of code; it decides whether a slash begins a regular expression. */
  #code = '';
  /** Depth of braces at which each open `${` began. @type {number[]} */
  #templates = [];
  #braces = 0;

  /** @param {string} source */
  constructor(source) {
    this.source = source;
  }

  /** Returns `false` at the end of the source. */
  step() {
    const { source } = this;
    if (this.#at >= source.length) return false;
    const char = source[this.#at] ?? '';
    const next = source[this.#at + 1] ?? '';
    if (char === '\n') this.#skipTo(this.#at + 1);
    else if (char === '/' && next === '/') this.#lineComment();
    else if (char === '/' && next === '*') this.#blockComment();
    else if (char === "'" || char === '"') this.#token(endOfString(source, this.#at, char), char);
    else if (char === '`' || (char === '}' && this.#templates.at(-1) === this.#braces)) this.#template(char);
    else if (char === '/' && regexMayStand(this.#code)) this.#token(endOfRegex(source, this.#at + 1), '/');
    else this.#plain(char);
    return true;
  }

  /** Moves on and counts the lines between. @param {number} end */
  #skipTo(end) {
    for (let at = this.source.indexOf('\n', this.#at); at >= 0 && at < end; at = this.source.indexOf('\n', at + 1)) {
      this.#line++;
      this.#lineStart = at + 1;
    }
    this.#at = end;
  }

  /** @param {number} end @param {string} code */
  #token(end, code) {
    this.#skipTo(end);
    this.#code = code;
  }

  #lineComment() {
    const end = endOf(this.source, '\n', this.#at);
    const text = this.source.slice(this.#at + 2, end).trim();
    const before = this.found.at(-1);
    const isAlone = this.source.slice(this.#lineStart, this.#at).trim() === '';
    const column = isAlone ? this.#at - this.#lineStart : -1;
    if (isAlone && before?.kind === 'line' && before.end === this.#line - 1 && before.column === column) {
      before.text += `\n${text}`;
      before.end = this.#line;
    } else this.found.push({ kind: 'line', line: this.#line, end: this.#line, column, text });
    this.#at = end;
  }

  #blockComment() {
    const end = endOf(this.source, '*/', this.#at + 2);
    const text = this.source
      .slice(this.#at + 2, end)
      .replaceAll(/^[ \t]*\*+ ?/gm, '')
      .replace(/^\*/, '')
      .trim();
    this.found.push({ kind: 'block', line: this.#line, end: this.#line, column: -1, text });
    this.#skipTo(end + 2);
  }

  /** @param {string} char  A back-quote, or the brace that ends an expression inside a template. */
  #template(char) {
    if (char === '}') this.#templates.pop();
    const { end, opens } = endOfTemplate(this.source, this.#at + 1);
    if (opens) this.#templates.push(this.#braces);
    this.#token(end, opens ? '(' : '`');
  }

  /** @param {string} char */
  #plain(char) {
    if (char === '{') this.#braces++;
    if (char === '}') this.#braces--;
    const before = this.source[this.#at - 1] ?? '';
    const goesOn = /[\w$]/.test(char) && /[\w$]$/.test(this.#code) && /[\w$]/.test(before);
    if (/\S/.test(char)) this.#code = goesOn ? this.#code + char : char;
    this.#at++;
  }
}

/** @param {string} source @param {string} mark @param {number} from */
function endOf(source, mark, from) {
  const end = source.indexOf(mark, from);
  return end < 0 ? source.length : end;
}

/** @param {string} source @param {number} from @param {string} quote */
function endOfString(source, from, quote) {
  for (let at = from + 1; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (source[at] === quote || source[at] === '\n') return at + 1;
  }
  return source.length;
}

/** @param {string} source @param {number} from */
function endOfTemplate(source, from) {
  for (let at = from; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (source[at] === '`') return { end: at + 1, opens: false };
    else if (source[at] === '$' && source[at + 1] === '{') return { end: at + 2, opens: true };
  }
  return { end: source.length, opens: false };
}

/** @param {string} code  The last token before the slash. */
function regexMayStand(code) {
  return REGEX_MAY_FOLLOW.has(code) || KEYWORDS_BEFORE_REGEX.test(code);
}

/** @param {string} source @param {number} from */
function endOfRegex(source, from) {
  let inClass = false;
  for (let at = from; at < source.length; at++) {
    const char = source[at];
    if (char === '\\') at++;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '\n' || (char === '/' && !inClass)) return at + 1;
  }
  return source.length;
}
