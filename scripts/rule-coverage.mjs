import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

// Runs `npm run rules [-- folder]`. It lists the rules of packages/conformance/rules.json that no title of a test names. Exits with 1 if a
// line of COMPATIBILITY.md does not excuse each of them.
const ROOT = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
/** Finds titles: the text at the start of `it(`, `test(`, `describe(` or of their `.each` tables. Ids in comments do not count. */
const TITLE = /\b(?:it|test|describe)(?:\.[a-z]+)*(?:<[^(]*>)?\s*\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g;
/** Finds the title of `.each([...])('title')`, where the table stands before the title. */
const EACH_TITLE = /\]\s*(?:as const\s*)?,?\s*\)\s*\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g;
const EACH_OF_NAME = /\.each\([^()]*(?:\([^()]*\)[^()]*)*\)\s*\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g;

/** Finds a row of a table, or an argument, that becomes a title. It is a text that begins with an id. */
const ROW = /(['"`])((?:WP|ST|SA|HT|RB|CF|SM)-\d+(?:[ ,](?:\\.|(?!\1)[^\\])*)?)\1/g;

/** The texts with ids in this test are parameters and reports of the tested command, and no titles. */
const COMMAND_TEST = join(ROOT, 'packages/conformance/test/integration/command.test.ts');

/** @returns {string[]} */
function testFiles() {
  return ['packages', 'examples'].flatMap((folder) => {
    const path = join(ROOT, folder);
    if (!existsSync(path)) return [];
    return readdirSync(path).flatMap((name) => {
      const tests = join(path, name, 'test');
      if (!existsSync(tests)) return [];
      const files = readdirSync(tests, { recursive: true, encoding: 'utf8' });
      return files
        .filter((file) => file.endsWith('.test.ts'))
        .map((file) => join(tests, file))
        .filter((file) => file !== COMMAND_TEST);
    });
  });
}

/** @param {string} text @returns {string[]} */
function idsIn(text) {
  return text.match(/\b(?:WP|ST|SA|HT|RB|CF|SM)-\d+\b/g) ?? [];
}

/** @param {string} source @returns {string[]} */
function titlesOf(source) {
  return [TITLE, EACH_TITLE, EACH_OF_NAME, ROW].flatMap((pattern) => [...source.matchAll(pattern)].map((match) => match[2] ?? ''));
}

/** @type {{id: string, title: string}[]} */
const rules = JSON.parse(readFileSync(join(ROOT, 'packages/conformance/rules.json'), 'utf8'));
const named = new Set(testFiles().flatMap((file) => titlesOf(readFileSync(file, 'utf8')).flatMap(idsIn)));
const compatibility = join(ROOT, 'COMPATIBILITY.md');
const excused = new Set(existsSync(compatibility) ? idsIn(readFileSync(compatibility, 'utf8')) : []);
const without = rules.filter(({ id }) => !named.has(id));
const open = without.filter(({ id }) => !excused.has(id));

process.stdout.write(`${rules.length - without.length} of ${rules.length} rules have a test that names them\n`);
for (const { id, title } of without) process.stdout.write(`${id.padEnd(6)} ${excused.has(id) ? 'excused' : 'no test'}  ${title}\n`);
const strangers = [...named].filter((id) => !rules.some((rule) => rule.id === id));
for (const id of strangers) process.stdout.write(`${id.padEnd(6)} is named by a test, but is no rule\n`);
process.exitCode = open.length === 0 && strangers.length === 0 ? 0 : 1;
