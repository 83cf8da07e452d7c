import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_FILE, MARKER, STAGE } from '../store/lmdb/env/store-marker.js';

/** Returns the directory if it is that of a store, else the directories of stores in it. A damaged store may have one of its files only. */
export function storesIn(directory: string): readonly string[] {
  if (isStore(directory)) return [directory];
  const inner = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return inner
    .map(({ name }) => join(directory, name))
    .filter(isStore)
    .sort();
}

function isStore(directory: string): boolean {
  return [DATA_FILE, MARKER, STAGE].some((file) => existsSync(join(directory, file)));
}
