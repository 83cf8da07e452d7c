import { commentsOf } from './comments.mjs';
import { plainText, readMarkdown } from './markdown.mjs';
import { RETIRED_FILES, RETIRED_NAMES } from './retired-names.mjs';
import { sentencesOf, wordsOf } from './sentences.mjs';

/** The check fails above this many words; writers aim at 25. */
const MOST_WORDS = 30;
/** Characters of a table cell as a reader sees it. */
const MOST_CELL_CHARS = 200;
/** Columns of a line of prose, in Markdown and in comments. */
const WIDTH = 140;
/** Words that hide the actor when a sentence opens with them. */
const OPENERS = /^["'(]?(Of|What|Who|Whoever|Whom|Whose|Those|One that|One who)\b(?!.*\?["')]?$)/;
/** Phrases that the project does not use; the standard words are in docs/glossary.md. */
const RETIRED_PHRASES = [
  'who knows positions',
  'knows positions',
  'knows no positions',
  'is told',
  'are told',
  'was told',
  'were told',
  'be told',
  'gets told',
  'so many',
  'so long as',
  'for so long',
  'leniency is asked for',
  'is looked at',
  'are looked at',
  'is looked for',
  'is carried out',
  'are carried out',
  'is gone',
  'are gone',
  'has gone away',
  'is sent away',
  'sends them away',
  'gated session',
  'gated listener',
  'session with rules',
  'cut off from the store',
];

/**
 * @typedef {{ file: string, line: number, rule: string, text: string }} Finding
 */

/**
 * Returns what a file does against the rules of prose (CONTRIBUTING.md, "Write plain English").
 *
 * @param {string} file  Relative to the repository; its name decides how it is read.
 * @param {string} source
 * @returns {Finding[]}
 */
export function proseFindings(file, source) {
  if (file.endsWith('.md')) return markdownFindings(file, source);
  const comments = file.endsWith('.lua') ? luaComments(source) : source;
  return [...commentFindings(file, comments), ...nameFindings(file, source)];
}

/**
 * Returns the comment lines of a Lua script as comments of JavaScript, each on its own line. All other lines become empty.
 *
 * @param {string} source
 */
function luaComments(source) {
  const lines = source.split('\n');
  return lines.map((line) => (/^\s*--/.test(line) ? line.replace('--', '//') : '')).join('\n');
}

/** A name after `}` continues a composed text, for instance a key that stays as it is on the wire. */
const NAME = new RegExp(`(?<![\\w$}-])(${Object.keys(RETIRED_NAMES).join('|')})(?![\\w$-])`, 'g');
const PHRASE = new RegExp(`\\b(${RETIRED_PHRASES.join('|')})\\b`);

/** Marks a public name that stays for one minor version: this line and the next one may use the old name. */
const DEPRECATED = /@deprecated\b/;

/**
 * Returns retired names in code, retired file names, and retired phrases in the texts of code: log events, errors and output.
 *
 * @param {string} file
 * @param {string} source
 * @returns {Finding[]}
 */
function nameFindings(file, source) {
  const lines = source.split('\n').flatMap((text, index, all) => {
    const at = { file, line: index + 1 };
    const isAlias = DEPRECATED.test(text) || DEPRECATED.test(all[index - 1] ?? '');
    const names = isAlias
      ? []
      : [...text.matchAll(NAME)].map(([name]) => ({ ...at, rule: `retired name "${name}"`, text: `use ${RETIRED_NAMES[name]}` }));
    const phrase = /['"`]/.test(text) ? PHRASE.exec(text)?.[1] : undefined;
    return phrase === undefined ? names : [...names, { ...at, rule: `retired phrase "${phrase}"`, text: text.trim() }];
  });
  const stem = file.slice(file.lastIndexOf('/') + 1).replace(/(\.test)?\.\w+$/, '');
  return RETIRED_FILES.has(stem) ? [{ file, line: 1, rule: 'retired file name', text: stem }, ...lines] : lines;
}

/** @param {string} file @param {string} source @returns {Finding[]} */
function markdownFindings(file, source) {
  const { prose, cells, long } = readMarkdown(source, WIDTH);
  return [
    ...long.map((line) => ({ file, line, rule: `wider than ${WIDTH} columns`, text: '' })),
    ...prose.flatMap((block) => sentenceFindings(file, block)),
    ...cells.flatMap((cell) => [...cellFindings(file, cell), ...sentenceFindings(file, cell)]),
  ];
}

/** @param {string} file @param {string} source @returns {Finding[]} */
function commentFindings(file, source) {
  const long = source.split('\n').flatMap((text, index) => {
    const isComment = /^\s*(\/\/|\/?\*)/.test(text);
    return isComment && text.length > WIDTH ? [{ file, line: index + 1, rule: `wider than ${WIDTH} columns`, text: '' }] : [];
  });
  const blocks = commentsOf(source).filter(({ text }) => !/^(oxlint-|biome-|@ts-|@vitest|#|<reference|eslint-)/.test(text));
  return [...long, ...blocks.flatMap((block) => sentenceFindings(file, block))];
}

/** @param {string} file @param {{ line: number, text: string }} cell @returns {Finding[]} */
function cellFindings(file, { line, text }) {
  const shown = plainText(text);
  return shown.length <= MOST_CELL_CHARS ? [] : [{ file, line, rule: `a cell of ${shown.length} characters`, text: shown }];
}

/** @param {string} file @param {{ line: number, text: string }} block @returns {Finding[]} */
function sentenceFindings(file, { line, text }) {
  return sentencesOf(plainText(text)).flatMap((sentence) => {
    /** @type {Finding[]} */
    const findings = [];
    const opener = OPENERS.exec(sentence)?.[1];
    if (opener !== undefined) findings.push({ file, line, rule: `opens with "${opener}"`, text: sentence });
    const { length } = wordsOf(sentence);
    if (length > MOST_WORDS) findings.push({ file, line, rule: `${length} words`, text: sentence });
    const lower = sentence.toLowerCase();
    for (const phrase of RETIRED_PHRASES)
      if (new RegExp(`\\b${phrase}\\b`).test(lower)) findings.push({ file, line, rule: `retired phrase "${phrase}"`, text: sentence });
    return findings;
  });
}
