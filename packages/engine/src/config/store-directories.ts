import { readdirSync, statSync } from 'node:fs';
import type { Config, ConfigWarning } from './config.js';
import { ConfigError } from './config-error.js';

/**
 * Looks at the directory that a store will use before anything opens it. Throws ConfigError when it can't be a store's. Files of
 * another engine's store (`*.bin`) are left as they are and warned of, as their data is not read.
 */
export function inspectStoreDirectories(config: Config): readonly ConfigWarning[] {
  const adapter = config.stream?.adapter;
  if (adapter?.kind !== 'lmdb') return [];
  const path = adapter.path;
  const unusable = (message: string) =>
    new ConfigError([
      { file: config.file ?? 'built-in defaults', line: undefined, column: undefined, key: 'iii-stream file_path', message },
    ]);
  let names: string[];
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return [];
    if (!stats.isDirectory()) throw unusable(`${path} is a file; file_path names a directory, so move the file or choose another path`);
    names = readdirSync(path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw unusable(`${path} can't be read (${code}); make it readable and writable for the user that runs the engine`);
  }
  const foreign = names.filter((name) => name.endsWith('.bin'));
  if (foreign.length === 0) return [];
  const message = `${path} holds ${foreign.length} *.bin file(s) of another engine (${foreign[0]} for one); they are left untouched and not read`;
  return [{ code: 'foreign_files', message }];
}
