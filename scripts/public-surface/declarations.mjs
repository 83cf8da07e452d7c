import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Reads declaration files as the compiler writes them: each statement begins in the first column, imports stand on one line, and nothing
 * is wrapped by hand.
 *
 * @typedef {{ file: string, name: string }} Reference  A name in a file, or a name in another package when `file` is no path.
 * @typedef {object} Declarations
 * @property {Map<string, string[]>} declared  Texts of the statements by name.
 * @property {Map<string, Reference>} scope  Imported names.
 * @property {Map<string, Reference>} exported  Names that others can import.
 * @property {string[]} reexported  Files whose exports count as exports of this one.
 */

const DECLARATION =
  /^(export )?(?:default )?(?:declare )?(?:abstract )?(?:async )?(?:class|interface|type|enum|function\*?|const|let|namespace) ([\w$]+)/;
const NAMED = /^(import|export) (?:type )?\{([^}]*)\}(?: from '([^']+)')?/;
const NAMESPACE = /^import (?:type )?\* as ([\w$]+) from '([^']+)'/;
const STAR = /^export (?:type )?\* from '([^']+)'/;

/**
 * @param {string} file
 * @returns {Declarations}
 */
export function readDeclarations(file) {
  /** @type {Declarations} */
  const found = { declared: new Map(), scope: new Map(), exported: new Map(), reexported: [] };
  for (const statement of statementsOf(readFileSync(file, 'utf8'))) readStatement(file, statement, found);
  return found;
}

/** @param {string} file @param {string} statement @param {Declarations} found */
function readStatement(file, statement, found) {
  const [, star] = STAR.exec(statement) ?? [];
  if (star !== undefined) {
    found.reexported.push(fileOf(file, star));
    return;
  }
  const [, namespace, source] = NAMESPACE.exec(statement) ?? [];
  if (namespace !== undefined && source !== undefined) {
    found.scope.set(namespace, { file: fileOf(file, source), name: '*' });
    return;
  }
  const named = NAMED.exec(statement);
  if (named !== null) {
    const [, kind, list = '', from] = named;
    for (const part of list.split(',')) {
      const [name = '', alias = name] = part
        .trim()
        .replace(/^type /, '')
        .split(' as ');
      if (name === '') continue;
      const target = from === undefined ? { file, name } : { file: fileOf(file, from), name };
      (kind === 'import' ? found.scope : found.exported).set(alias, target);
    }
    return;
  }
  const [, isExported, name] = DECLARATION.exec(statement) ?? [];
  if (name === undefined) return;
  const text = statement.replace(/^export /, '').replace(/^declare /, '');
  found.declared.set(name, [...(found.declared.get(name) ?? []), text]);
  if (isExported !== undefined) found.exported.set(name, { file, name });
}

/**
 * Returns the statements of a declaration file without comments and without lines about private members.
 *
 * @param {string} source
 * @returns {string[]}
 */
function statementsOf(source) {
  const lines = source
    .replaceAll(/^[ \t]*\/\*[\s\S]*?\*\/\n?/gm, '')
    // Sentences for people are no part of the surface, for instance the explanation of an error code.
    .replaceAll(/(?<=: )(['"])(?:(?!\1)[^\\\n]|\\.)* (?:(?!\1)[^\\\n]|\\.)*\1(?=;)/g, "'…'")
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s*(#private;|\/\/)/.test(line));
  /** @type {string[]} */
  const statements = [];
  for (const line of lines) {
    if (/^[^\s})\]>|&]/.test(line)) statements.push(line);
    else statements.push(`${statements.pop() ?? ''}\n${line}`);
  }
  return statements;
}

/** @param {string} file @param {string} specifier */
export function fileOf(file, specifier) {
  return specifier.startsWith('.') ? join(dirname(file), specifier.replace(/\.js$/, '.d.ts')) : specifier;
}
