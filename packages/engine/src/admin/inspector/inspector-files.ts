import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { LIMITS } from '@rivulet/protocol';

/** One encoding of a file. `name`: the value of `Content-Encoding`, or `undefined` for the file as it is. */
interface EncodedBytes {
  readonly name: 'br' | 'gzip' | undefined;
  readonly bytes: Buffer;
}

/** A file of the built inspector in memory. */
export interface InspectorFile {
  readonly type: string;
  /** The file in its encodings, the smallest first. The last one has no encoding. */
  readonly encodings: readonly EncodedBytes[];
}

type Files = ReadonlyMap<string, InspectorFile>;

/** Name of the page itself in `InspectorFiles`. All other names are those of files in `assets`. */
export const INDEX = 'index.html';

/** Content types by the ending of a file. Files with another ending are not served. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
};

/** Endings of the files that a build has compressed ahead, with their encodings. */
const ENCODINGS = [
  { ending: '.br', name: 'br' },
  { ending: '.gz', name: 'gzip' },
] as const;

/**
 * The files of the built inspector: `index.html`, and the files directly in `assets`. They are read once, at the first request, and stay in
 * memory. A request finds a file by its name in a table, so no name leads to another file of the machine.
 */
export class InspectorFiles {
  readonly #folder: string;
  #files: Promise<Files | undefined> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Resolves with a file, with `missing`, or with `not_built` when the folder has no page. Rejects when the files exceed their bounds. */
  async find(name: string): Promise<InspectorFile | 'missing' | 'not_built'> {
    this.#files ??= readFiles(this.#folder);
    const reading = this.#files;
    let files: Files | undefined;
    try {
      files = await reading;
    } finally {
      // The next request reads again, because somebody may build the page meanwhile.
      if (files === undefined && this.#files === reading) this.#files = undefined;
    }
    return files === undefined ? 'not_built' : (files.get(name) ?? 'missing');
  }
}

/** Returns the encoding of a file to send to a client with this `Accept-Encoding`. */
export function encodingFor({ encodings }: InspectorFile, accepted: string): EncodedBytes | undefined {
  const names = accepted.split(',', MOST_ENCODINGS).map((part) => part.trim().toLowerCase());
  // A client that names a weight may mean that it takes none (`q=0`). It gets the file as it is.
  return encodings.find(({ name }) => name === undefined || names.includes(name));
}

/** Names in `Accept-Encoding` that are read. Browsers send four. */
const MOST_ENCODINGS = 16;

/** Resolves with the files by name, or with `undefined` when there is no page. */
async function readFiles(folder: string): Promise<Files | undefined> {
  const assets = join(folder, 'assets');
  const names = await namesIn(assets);
  const raw = new Map<string, Buffer>();
  const page = await readIfThere(join(folder, INDEX));
  if (page === undefined) return undefined;
  raw.set(INDEX, page);
  let bytes = page.length;
  for (const name of names) {
    const content = await readIfThere(join(assets, name));
    if (content === undefined) continue;
    bytes += content.length;
    if (raw.size >= LIMITS.inspectorFiles || bytes > LIMITS.inspectorBytes)
      throw new Error(`the inspector in ${folder} has more than ${LIMITS.inspectorFiles} files or ${LIMITS.inspectorBytes} bytes`);
    raw.set(name, content);
  }
  return new Map(Array.from(raw).flatMap(([name, plain]) => served(name, plain, raw)));
}

/** Returns the entry of a file that is served, or none for other files, such as compressed ones. */
function served(name: string, plain: Buffer, raw: ReadonlyMap<string, Buffer>): (readonly [string, InspectorFile])[] {
  const type = TYPES[extname(name)];
  if (type === undefined) return [];
  const compressed = ENCODINGS.flatMap((encoding) => {
    const bytes = raw.get(name + encoding.ending);
    return bytes === undefined ? [] : [{ name: encoding.name, bytes }];
  });
  return [[name, { type, encodings: [...compressed, { name: undefined, bytes: plain }] }]];
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(ignoreMissing);
  return (entries ?? []).filter((entry) => entry.isFile()).map(({ name }) => name);
}

function readIfThere(file: string): Promise<Buffer | undefined> {
  return readFile(file).catch(ignoreMissing);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
