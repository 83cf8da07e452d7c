import { existsSync, mkdirSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import type { Config } from '../config/config.js';
import { ENGINE_VERSION } from '../config/engine-version.js';
import { LmdbDump } from '../store/lmdb/copying/store-dump.js';
import { syncFile } from '../store/lmdb/env/file-pages.js';
import type { DumpSource } from '../store/shared/dump.js';
import { endLine, groupLine, itemLine, storeLine } from '../store/shared/dump-lines.js';
import { LineSplitter } from '../store/shared/line-splitter.js';
import { copyStores, type OnStep } from './backup.js';
import { STORE_NAMES, type StoreName, storeDirectories } from './carried-stores.js';
import { EXPORT_FORMAT, MOST_LINE_CHARS } from './export-file.js';
import { ScratchDirectory } from './filled-directories.js';
import { readManifest } from './manifest.js';
import { openRedisDump } from './redis-stores.js';
import { copyBackedUp } from './restore.js';

/** Characters that are written at a time. */
const WRITE_CHARS = 262_144;

export interface ExportReport {
  readonly groups: number;
  readonly items: number;
  readonly bytes: number;
  readonly stores: readonly StoreName[];
  /** Stores that cannot be exported: they are in memory, or behind an adapter of the user. */
  readonly leftOut: readonly StoreName[];
}

export interface ExportOptions {
  /** A backup to export in place of the stores of the configuration. */
  readonly backup: string | undefined;
  /** The directory for the copies of stores. @default the temporary directory of the system */
  readonly temporary: string | undefined;
  /** Returns the text of a store in memory, from the running engine. @default stores in memory are left out */
  readonly live: ((name: StoreName) => AsyncIterable<string>) | undefined;
  readonly onStep: OnStep;
}

/** A store to export. `open` may be called once. `text` is what `dumpText` yields in the running engine. */
type Source = { readonly name: StoreName } & ({ readonly open: () => Promise<DumpSource> } | { readonly text: AsyncIterable<string> });

/** Writes all stores into a new file. Nothing stays when it fails. */
export async function exportStores(config: Config, path: string, options: ExportOptions): Promise<ExportReport> {
  if (existsSync(path)) throw new RivuletError('INVALID_ARGUMENTS', `${path} exists already; name a new file`);
  const scratch = await ScratchDirectory.create(options.temporary ?? tmpdir());
  try {
    const { backup, onStep } = options;
    const sources = backup === undefined ? await sourcesOf(config, scratch.path, options) : await sourcesIn(backup, scratch.path, onStep);
    if (sources.length === 0) {
      throw new RivuletError(
        'INVALID_ARGUMENTS',
        'no store of this configuration can be exported: they are in memory or in an adapter of yours; --admin-url exports stores in memory',
      );
    }
    const unfinished = `${path}.unfinished`;
    const file = await createFile(unfinished);
    try {
      const counts = await writeFile(file, sources, onStep);
      await file.sync();
      onStep('names the file', 0, 0);
      await rename(unfinished, path);
      syncFile(dirname(path));
      const stores = sources.map(({ name }) => name);
      const leftOut = STORE_NAMES.filter((name) => config[name] !== undefined && !stores.includes(name));
      return { ...counts, stores, leftOut: backup === undefined ? leftOut : [] };
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  } finally {
    scratch.remove();
  }
}

/** Creates the file that gets its name when it is complete. A killed export leaves it, but no half file under that name. */
async function createFile(unfinished: string): Promise<FileHandle> {
  try {
    return await open(unfinished, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const message = `${unfinished} is left from an export that did not end, unless another export writes it now; delete it, then try again`;
    throw new RivuletError('DIRECTORY_NOT_EMPTY', message, { cause: error });
  }
}

async function sourcesOf(config: Config, scratch: string, { live, onStep }: ExportOptions): Promise<readonly Source[]> {
  const directories = storeDirectories(config);
  const copies = directories.length === 0 ? [] : (await copyStores(directories, scratch, onStep)).copies;
  return STORE_NAMES.flatMap((name): Source[] => {
    const adapter = config[name]?.adapter;
    if (adapter?.kind === 'memory' && live !== undefined) return [{ name, text: live(name) }];
    if (adapter?.kind === 'redis') return [{ name, open: () => openRedisDump(adapter) }];
    const isCopied = copies.some((copy) => copy.name === name);
    return isCopied ? [{ name, open: () => LmdbDump.open(join(scratch, name)) }] : [];
  });
}

/** Returns copies of the stores of a backup. LMDB writes beside each data file that it opens, and a backup stays as it is. */
async function sourcesIn(backup: string, scratch: string, onStep: OnStep): Promise<readonly Source[]> {
  const { stores } = readManifest(backup);
  for (const store of stores) {
    const folder = join(scratch, store.name);
    mkdirSync(folder, { mode: 0o700 });
    await copyBackedUp(folder, join(backup, store.name), store, onStep);
  }
  return stores.map(({ name }) => ({ name, open: () => LmdbDump.open(join(scratch, name)) }));
}

async function writeFile(
  file: FileHandle,
  sources: readonly Source[],
  onStep: OnStep,
): Promise<{ readonly groups: number; readonly items: number; readonly bytes: number }> {
  const output = new LineWriter(file);
  let groups = 0;
  let items = 0;
  // oxlint-disable-next-line eslint/no-restricted-properties -- the time of now is always valid
  await output.write(JSON.stringify({ rivulet_export: EXPORT_FORMAT, engine: ENGINE_VERSION, at: new Date().toISOString() }));
  for (const source of sources) {
    const { name } = source;
    const onItems = (more: number) => onStep(`writes ${name}: ${items + more} items`, 0, 0);
    const counts =
      'text' in source ? await copyText(name, source.text, output, onItems) : await writeDump(name, source.open, output, onItems);
    groups += counts.groups;
    items += counts.items;
  }
  await output.write(endLine({ groups, items }));
  return { groups, items, bytes: await output.flush() };
}

interface Counts {
  readonly groups: number;
  readonly items: number;
}

async function writeDump(
  name: StoreName,
  openSource: () => Promise<DumpSource>,
  output: LineWriter,
  onItems: (items: number) => void,
): Promise<Counts> {
  let groups = 0;
  let items = 0;
  const source = await openSource();
  try {
    await output.write(storeLine(name, source.store));
    for await (const group of source.groups()) {
      groups++;
      await output.write(groupLine(group));
      for await (const chunk of group.chunks()) {
        for (const item of chunk) await output.write(itemLine(item));
        items += chunk.length;
        onItems(items);
      }
    }
    return { groups, items };
  } finally {
    await source.close();
  }
}

/** Writes the lines of a running engine. Throws CONTROL_FAILED when they are not complete. */
async function copyText(
  name: StoreName,
  text: AsyncIterable<string>,
  output: LineWriter,
  onItems: (items: number) => void,
): Promise<Counts> {
  let groups = 0;
  let items = 0;
  let place: 'begin' | 'inside' | 'end' = 'begin';
  const splitter = new LineSplitter();
  for await (const piece of text) {
    const lines = splitter.push(piece);
    if (splitter.chars > MOST_LINE_CHARS) throw strangeAnswer(name);
    for (const line of lines) {
      if (place === 'inside' && line === endLine({ groups, items })) {
        place = 'end';
        continue;
      }
      if (place === 'begin' && line.startsWith(`{"store":${JSON.stringify(name)},`)) place = 'inside';
      else if (place === 'inside' && line.startsWith('{"stream":')) groups++;
      else if (place === 'inside' && line.startsWith('{"id":') && groups > 0) items++;
      else throw strangeAnswer(name);
      await output.write(line);
    }
    onItems(items);
  }
  if (place !== 'end' || splitter.chars > 0) throw strangeAnswer(name);
  return { groups, items };
}

function strangeAnswer(name: StoreName): RivuletError {
  const message = `the engine did not send the whole ${name} store; use the version of the command that the engine has, then try again`;
  return new RivuletError('CONTROL_FAILED', message);
}

/** Writes lines through a buffer. */
class LineWriter {
  readonly #file: FileHandle;
  #text: string[] = [];
  #chars = 0;
  #bytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  write(line: string): Promise<unknown> | undefined {
    this.#text.push(line, '\n');
    this.#chars += line.length + 1;
    return this.#chars >= WRITE_CHARS ? this.flush() : undefined;
  }

  /** Resolves with all bytes written so far. */
  async flush(): Promise<number> {
    const bytes = Buffer.from(this.#text.join(''));
    this.#text = [];
    this.#chars = 0;
    for (let at = 0; at < bytes.length; ) at += (await this.#file.write(bytes, at)).bytesWritten;
    this.#bytes += bytes.length;
    return this.#bytes;
  }
}
