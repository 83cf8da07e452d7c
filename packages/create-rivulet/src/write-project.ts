import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CreateFailure } from './failure.js';
import { manifestOf } from './manifest.js';
import type { Template } from './templates.js';

const FOLDER = fileURLToPath(new URL('../templates', import.meta.url));

/** Returns the files of a project by their paths. `packages` is the folder of the tarballs. */
export function filesOf(name: string, template: Template, packages: string | undefined): ReadonlyMap<string, string> {
  const files = new Map([['package.json', manifestOf(name, template, packages)]]);
  for (const folder of template.folders) {
    for (const entry of readdirSync(join(FOLDER, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const source = join(entry.parentPath, entry.name);
      const path = source.slice(join(FOLDER, folder).length + 1);
      // npm would not pack a file with this name.
      files.set(path === 'gitignore' ? '.gitignore' : path, readFileSync(source, 'utf8').replaceAll('PROJECT_NAME', name));
    }
  }
  return files;
}

/** Throws `NOT_EMPTY` unless a directory is absent, or empty but for the folder of git. */
export function requireEmpty(directory: string): void {
  const entries = entriesOf(directory);
  if (entries.some((name) => name !== '.git'))
    throw new CreateFailure('NOT_EMPTY', `${directory} is not empty; choose another directory, or empty this one`);
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    if (codeOf(error) === 'ENOTDIR') throw new CreateFailure('NOT_EMPTY', `${directory} is a file; choose another directory`);
    throw unwritable(directory, error);
  }
}

/** Writes the files of a project. Never replaces a file. */
export function writeProject(directory: string, files: ReadonlyMap<string, string>): void {
  try {
    for (const [path, text] of files) {
      const file = join(directory, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text, { flag: 'wx' });
    }
  } catch (error) {
    throw unwritable(directory, error);
  }
}

function unwritable(directory: string, error: unknown): CreateFailure {
  return new CreateFailure('WRITE_FAILED', `${directory} can't be written (${codeOf(error)}); the project is not complete`, {
    cause: error,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
