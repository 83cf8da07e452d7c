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
// oxlint-disable-next-line eslint/max-lines-per-function -- one pass over the characters, with one branch for each kind of text
export function commentsOf(source) {
  /** @type {(Block & { kind: 'line' | 'block', end: number, column: number })[]} */
  const found = [];
  let line = 1;
  let lineStart = 0;
  let code = '';
  /** @type {number[]} */
  const templates = [];
  let braces = 0;
  for (let at = 0; at < source.length; ) {
    const char = source[at] ?? '';
    const next = source[at + 1] ?? '';
    if (char === '\n') {
      line++;
      at++;
      lineStart = at;
      continue;
    }
    if (char === '/' && next === '/') {
      const end = endOf(source, '\n', at);
      const text = source.slice(at + 2, end).trim();
      const before = found.at(-1);
      const alone = source.slice(lineStart, at).trim() === '';
      if (before?.kind === 'line' && before.end === line - 1 && alone && before.column === at - lineStart) {
        before.text += `\n${text}`;
        before.end = line;
      } else found.push({ kind: 'line', line, end: line, column: alone ? at - lineStart : -1, text });
      at = end;
      continue;
    }
    if (char === '/' && next === '*') {
      const end = endOf(source, '*/', at + 2);
      const text = source.slice(at + 2, end);
      found.push({
        kind: 'block',
        line,
        end: line,
        column: -1,
        text: text
          .replaceAll(/^[ \t]*\*+ ?/gm, '')
          .replace(/^\*/, '')
          .trim(),
      });
      line += text.split('\n').length - 1;
      at = end + 2;
      lineStart = source.lastIndexOf('\n', at - 1) + 1;
      continue;
    }
    if (char === "'" || char === '"') {
      at = endOfString(source, at, char);
      code = char;
      continue;
    }
    if (char === '`' || (char === '}' && templates.at(-1) === braces)) {
      if (char === '}') templates.pop();
      const { end, opens } = endOfTemplate(source, at + 1);
      line += source.slice(at, end).split('\n').length - 1;
      lineStart = source.lastIndexOf('\n', end - 1) + 1;
      if (opens) templates.push(braces);
      at = end;
      code = opens ? '(' : '`';
      continue;
    }
    if (char === '/' && regexMayStand(code)) {
      at = endOfRegex(source, at + 1);
      code = '/';
      continue;
    }
    if (char === '{') braces++;
    if (char === '}') braces--;
    if (/\S/.test(char)) code = /[\w$]/.test(char) && /[\w$]$/.test(code) && /[\w$]/.test(source[at - 1] ?? '') ? code + char : char;
    at++;
  }
  return found.map(({ line: first, text }) => ({ line: first, text }));
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
