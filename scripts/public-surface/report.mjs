import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifestOf, PUBLISHED } from '../packing/published.mjs';
import { fileOf, readDeclarations } from './declarations.mjs';

/** @import { Declarations, Reference } from './declarations.mjs' */

/** Folders of the published packages that programs import. The package `rivulet` has a command only. */
export const IMPORTED = PUBLISHED.filter((name) => manifestOf(name).exports !== undefined);
/** Entries without a promise of stability. */
const INTERNAL = new Set(['@rivulet/engine/parts', '@rivulet/engine/command']);

/**
 * Returns the text of docs/api/NAME.api.txt: the exports of the built package, and the declarations that they mention.
 *
 * @param {string} root
 * @param {string} name
 */
export function publicSurface(root, name) {
  const folder = join(root, 'packages', name);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const surface = new Surface();
  const sections = Object.entries(manifest.exports).flatMap(([path, targets]) => {
    const entry = join(manifest.name, path);
    // A target without types is a file of data.
    if (INTERNAL.has(entry) || typeof targets === 'string') return [];
    return conditionsOf(targets).map(({ condition, types }) =>
      surface.section(condition === undefined ? entry : `${entry} (${condition})`, join(folder, types)),
    );
  });
  const head = `The public surface of ${manifest.name}. \`npm run api\` writes this file from the built package.`;
  return `${[head, ...sections, surface.mentioned()].filter((part) => part !== '').join('\n\n')}\n`;
}

/**
 * Returns the declaration files of one entry. It skips `require`, which has the same surface.
 *
 * @param {any} targets
 * @returns {{ condition?: string, types: string }[]}
 */
function conditionsOf(targets) {
  const { types, browser } = targets;
  return [{ types }, ...(browser === undefined ? [] : [{ condition: 'browser', types: browser.types }])];
}

/** Collects the declarations of a package. */
class Surface {
  /** @type {Map<string, Declarations>} */
  #files = new Map();
  /** Declarations that an entry exports, as `file#name`. */
  #exported = new Set();
  /** Declarations that others mention, as `file#name`, each with its text. @type {Map<string, string>} */
  #mentioned = new Map();

  /** @param {string} title @param {string} file */
  section(title, file) {
    const lines = [...this.#exportsOf(file)].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, target]) => this.#describe(name, target));
    return [`## ${title}`, ...lines].join('\n\n');
  }

  mentioned() {
    const hidden = [...this.#mentioned].filter(([key]) => !this.#exported.has(key)).map(([, text]) => text);
    return hidden.length === 0 ? '' : ['## Mentioned above, and not exported', ...hidden.toSorted()].join('\n\n');
  }

  /** @param {string} file @returns {Declarations} */
  #read(file) {
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    const found = readDeclarations(file);
    this.#files.set(file, found);
    return found;
  }

  /** @param {string} file @returns {Map<string, Reference>} */
  #exportsOf(file) {
    if (!isFile(file)) return new Map([[`* of ${file}`, { file, name: '*' }]]);
    const { exported, reexported } = this.#read(file);
    return new Map([...reexported.flatMap((other) => [...this.#exportsOf(other)]), ...exported]);
  }

  /** @param {string} name @param {Reference} target */
  #describe(name, target) {
    const found = this.#resolve(target);
    if (found === undefined) return `export { ${target.name}${target.name === name ? '' : ` as ${name}`} } from '${target.file}';`;
    const key = `${found.file}#${found.name}`;
    if (this.#exported.has(key)) return `export { ${found.name === name ? name : `${found.name} as ${name}`} }; // as above`;
    this.#exported.add(key);
    this.#follow(found.file, found.texts);
    const alias = found.name === name ? '' : `// as ${name}\n`;
    return alias + found.texts.map((text) => `export ${text}`).join('\n');
  }

  /**
   * Returns where a name is declared; `undefined` if another package declares it.
   *
   * @param {Reference} reference
   * @returns {{ file: string, name: string, texts: string[] } | undefined}
   */
  #resolve({ file, name }) {
    if (!isFile(file)) return undefined;
    const { declared, scope } = this.#read(file);
    const texts = declared.get(name);
    if (texts !== undefined) return { file, name, texts };
    const next = this.#exportsOf(file).get(name) ?? scope.get(name);
    return next === undefined || (next.file === file && next.name === name && scope.get(name) === undefined)
      ? undefined
      : this.#resolve(next.file === file && next.name === name ? (scope.get(name) ?? next) : next);
  }

  /** Collects the declarations that the texts mention. @param {string} file @param {readonly string[]} texts */
  #follow(file, texts) {
    const { declared, scope } = this.#read(file);
    for (const text of texts) {
      for (const [, name = ''] of text.matchAll(/(?<![.\w$'"])([A-Za-z_$][\w$]*)(?!\??:)/g)) {
        const target = declared.has(name) ? { file, name } : scope.get(name);
        if (target !== undefined) this.#mention(target);
      }
      for (const [, specifier = '', name = ''] of text.matchAll(/import\("([^"]+)"\)\.([\w$]+)/g))
        this.#mention({ file: fileOf(file, specifier), name });
    }
  }

  /** @param {Reference} target */
  #mention(target) {
    const found = this.#resolve(target);
    if (found === undefined) return;
    const key = `${found.file}#${found.name}`;
    if (this.#mentioned.has(key)) return;
    this.#mentioned.set(key, found.texts.join('\n'));
    this.#follow(found.file, found.texts);
  }
}

/** @param {string} file */
function isFile(file) {
  return file.endsWith('.d.ts');
}
