import { accessSync, chmodSync, constants, lstatSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import type { Config, ConfigWarning } from './config.js';
import { ConfigError } from './config-error.js';
import { entryName } from './entry-names.js';

/** The directory of one worker's store. */
interface StoreDirectory {
  readonly worker: 'rivulet-stream' | 'rivulet-state';
  readonly path: string;
}

const WRITE_BY_OTHERS = 0o022;
const ACCESS_BY_OTHERS = 0o077;
const OWNER_ONLY = 0o700;

/**
 * Closes the directories of stores to other users of the machine, if the engine owns them. Returns a warning for each directory that stays
 * open. Call `inspectStoreDirectories` first, which refuses directories that others may write.
 */
export function closeStoreDirectories(config: Config): readonly ConfigWarning[] {
  return directoriesOf(config).flatMap(({ path }) => {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined || (stats.mode & ACCESS_BY_OTHERS) === 0) return [];
    try {
      if (stats.uid === process.getuid?.()) {
        chmodSync(path, OWNER_ONLY);
        return [];
      }
    } catch {
      // The file system has no modes. The warning names what is open.
    }
    const message = `${path} can be read by other users of this machine, and belongs to another user; run chmod 700 ${path} as its owner`;
    return [{ code: 'data_directory_readable', message }];
  });
}

/** Refuses a directory that other users may write, because they could replace or destroy the data. Windows has no such modes. */
function refuseForeignWriters({ mode }: Stats, directory: StoreDirectory, config: Config): void {
  if ((mode & WRITE_BY_OTHERS) === 0 || process.getuid === undefined) return;
  const { path } = directory;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  throw unusable(directory, config, `other users of this machine may write into ${path} (mode ${shown}); run chmod 700 ${path}`);
}

/**
 * Checks the directories and adapter files of the stores before the engine opens them. Throws ConfigError if one cannot hold a store, if
 * two names lead to one directory, or if an adapter is no file. Files of another engine's store (`*.bin`) stay as they are. A warning says
 * that their data is not read.
 */
export function inspectStoreDirectories(config: Config): readonly ConfigWarning[] {
  requireAdapterFiles(config);
  const warnings: ConfigWarning[] = [];
  const real = new Map<string, string>();
  for (const directory of directoriesOf(config)) {
    const foreign = namesIn(directory, config)?.filter((name) => name.endsWith('.bin'));
    if (foreign === undefined) continue;
    const { path } = directory;
    const other = real.get(realpathSync(path));
    if (other !== undefined)
      throw unusable(directory, config, `${path} is ${other}, the directory of ${entryName(config, 'rivulet-stream')}; give each its own`);
    real.set(realpathSync(path), path);
    if (foreign.length === 0) continue;
    const message = `${path} holds ${foreign.length} *.bin file(s) of another engine (${foreign[0]} for one); they are left untouched and not read`;
    warnings.push({ code: 'foreign_files', message });
  }
  return warnings;
}

function directoriesOf({ stream, state }: Config): readonly StoreDirectory[] {
  return [
    ...(stream?.adapter.kind === 'lmdb' ? [{ worker: 'rivulet-stream', path: stream.adapter.path } as const] : []),
    ...(state?.adapter.kind === 'lmdb' ? [{ worker: 'rivulet-state', path: state.adapter.path } as const] : []),
  ];
}

/** Requires that adapters are files. The name of a package could lead to another package in each working directory. */
function requireAdapterFiles(config: Config): void {
  const { stream, state, file = 'built-in defaults' } = config;
  const adapters = [
    ['rivulet-stream', stream?.adapter],
    ['rivulet-state', state?.adapter],
  ] as const;
  const problems = adapters.flatMap(([worker, adapter]) => {
    if (adapter?.kind !== 'module' || isFile(adapter.path)) return [];
    const message = `${adapter.path} is no file that can be read; give the path of the adapter, relative to the working directory`;
    return [{ file, line: undefined, column: undefined, key: `${entryName(config, worker)} adapter.module`, message }];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}

function isFile(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Returns the names in a directory, or `undefined` if it does not exist yet. */
function namesIn(directory: StoreDirectory, config: Config): readonly string[] | undefined {
  const { path } = directory;
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) {
      if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
      throw unusable(directory, config, `${path} is a link that leads nowhere; create the directory that it names, or remove the link`);
    }
    if (stats.isDirectory()) {
      refuseForeignWriters(stats, directory, config);
      return readdirSync(path);
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw unusable(directory, config, `${path} can't be read (${code}); make it readable and writable for the user that runs the engine`);
  }
  throw unusable(directory, config, `${path} is a file; file_path names a directory, so move the file or choose another path`);
}

function unusable({ worker }: StoreDirectory, config: Config, message: string): ConfigError {
  const file = config.file ?? 'built-in defaults';
  return new ConfigError([{ file, line: undefined, column: undefined, key: `${entryName(config, worker)} file_path`, message }]);
}
