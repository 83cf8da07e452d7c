import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../set-up/workspace.mjs';

/**
 * A section of docs/install.md: the files that it shows by their paths, and its blocks of commands.
 *
 * @typedef {{ files: Readonly<Record<string, string>>, commands: readonly (readonly string[])[] }} Section
 */

/** Returns the sections of docs/install.md by their titles. @returns {ReadonlyMap<string, Section>} */
export function readInstallPage() {
  const page = readFileSync(join(ROOT, 'docs/install.md'), 'utf8');
  return new Map(
    page.split(/^## /m).map((text) => {
      const [title = ''] = text.split('\n', 1);
      return [title, sectionOf(text)];
    }),
  );
}

/** @param {string} text @returns {Section} */
function sectionOf(text) {
  /** @type {Record<string, string>} */
  const files = {};
  const commands = [];
  for (const { index, 1: language, 2: code = '' } of text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)) {
    // The paragraph before a file begins with its name.
    const before = text.slice(0, index).trimEnd().split('\n\n').at(-1) ?? '';
    const [, name] = /^`([\w./-]+)`/.exec(before) ?? [];
    if (language === 'sh') commands.push(code.trimEnd().split('\n'));
    else if (name !== undefined) files[name] = code;
  }
  return { files, commands };
}

/** @typedef {{ title: string, port: string, borrowed: readonly [title: string, file: string][] }} Project */

/**
 * The projects of the page: the section of each, the port of its page, and the files that it takes from other sections.
 *
 * @type {Readonly<Record<'vite' | 'next' | 'esm' | 'commonjs', Project>>}
 */
export const PROJECTS = {
  vite: { title: 'With Vite', port: '5173', borrowed: [] },
  next: { title: 'With Next.js', port: '3000', borrowed: [] },
  esm: { title: 'Without a bundler', port: '8080', borrowed: [['With Vite', 'page.ts']] },
  commonjs: {
    title: 'CommonJS',
    port: '8080',
    borrowed: [
      ['With Vite', 'page.ts'],
      ['Without a bundler', 'server.ts'],
    ],
  },
};

/** Returns the files and commands of a project of the page. @param {keyof typeof PROJECTS} name @returns {Section} */
export function projectOf(name) {
  const { title, borrowed } = PROJECTS[name];
  const sections = readInstallPage();
  const section = sections.get(title);
  const worker = sections.get('A worker');
  if (section === undefined || worker === undefined) throw new Error(`docs/install.md has no section "${title}", or none about the worker`);
  const others = borrowed.map(([from, file]) => {
    const text = sections.get(from)?.files[file];
    if (text === undefined) throw new Error(`the section "${from}" of docs/install.md has no file ${file}`);
    return [file, text];
  });
  return { files: { ...worker.files, ...Object.fromEntries(others), ...section.files }, commands: section.commands };
}
