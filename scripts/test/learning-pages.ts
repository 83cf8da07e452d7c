import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { onTestFinished } from 'vitest';
import { ROOT } from '../set-up/workspace.mjs';

/** Returns a page of docs/. */
export const pageOf = (name: string) => readFileSync(join(ROOT, 'docs', name), 'utf8');

/** Returns the files that a page tells its reader to save, and adds the blocks that it tells the reader to add. */
export function filesOf(name: string, files: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const found: Record<string, string> = { ...files };
  const blocks = pageOf(name).matchAll(/(Save|Add)\s+(?:this|it|these)\b[^`]*?`([\w./-]+)`(?:(?!\n\n```)[^])*\n\n```\w+\n([^]*?)^```$/gm);
  for (const [, verb, file = '', code = ''] of blocks) found[file] = verb === 'Add' ? `${found[file] ?? ''}\n${code}` : code;
  return found;
}

/** Replaces the addresses of a page by those of a test. Throws when the text does not have one of them. */
export function replaced(text: string, pairs: readonly (readonly [from: string, to: string])[]): string {
  return pairs.reduce((all, [from, to]) => {
    if (!all.includes(from)) throw new Error(`the text does not have ${from}`);
    return all.replaceAll(from, () => to);
  }, text);
}

/** Makes a project of these files, which finds the packages of this repository. It is removed when the test ends. */
export function projectWith(files: Readonly<Record<string, string>>): string {
  const folder = directoryWith({ 'package.json': '{ "type": "module" }', ...files });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Starts a program in a folder. It ends with the test. */
export function startProgram(folder: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const child = spawn(process.execPath, args, { cwd: folder, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return child;
}
