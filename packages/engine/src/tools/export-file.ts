import { createReadStream } from 'node:fs';
import { parseJson, RivuletError, scanJson } from '@rivulet/protocol';
import type { DumpedExpiry, DumpedGroup, DumpedHead, DumpedItem, DumpedStore } from '../store/shared/dump.js';
import { DATA } from '../store/shared/dump-lines.js';
import { isValidId } from '../store/shared/ids.js';
import { LineSplitter } from '../store/shared/line-splitter.js';
import { STORE_NAMES, type StoreName } from './carried-stores.js';

/**
 * The file of an export: one JSON object in each line. docs/backup.md describes it for users.
 *
 * ```
 * {"rivulet_export":1,"engine":"0.1.0","at":"2026-…"}
 * {"store":"stream","epoch":"…","removed_offset":0,"removed_timestamp":0}
 * {"stream":"chat","group":"room-1","offset":7,"timestamp":1764489600000}
 * {"id":"m1","created":1,"changed":7,"expires_at":1764489600000,"data":{…}}
 * {"end":{"groups":1,"items":1}}
 * ```
 *
 * `data` is the last member, and the import keeps its text as it is.
 */
export const EXPORT_FORMAT = 1;

/** The longest line. A value has at most `valueBytes` (docs/limits.md). */
export const MOST_LINE_CHARS = 16_777_216;

export type ExportLine =
  | { readonly kind: 'header'; readonly engine: string; readonly at: string }
  | ({ readonly kind: 'store'; readonly name: StoreName } & DumpedStore)
  | ({ readonly kind: 'group' } & DumpedHead)
  | ({ readonly kind: 'item' } & DumpedItem)
  | { readonly kind: 'end'; readonly groups: number; readonly items: number };

type Members = Readonly<Record<string, unknown>>;

/** Returns the meaning of a line, or a sentence about what is wrong with it. */
function readExportLine(line: string): ExportLine | string {
  const at = line.indexOf(DATA);
  const head = parseJson(at < 0 ? line : `${line.slice(0, at)}}`);
  if (typeof head !== 'object' || head === null || Array.isArray(head)) return 'the line is no JSON object';
  const members = head as Members;
  if (at >= 0) return readItem(members, line.slice(at + DATA.length, -1));
  if ('rivulet_export' in members) return readHeader(members);
  if ('store' in members) return readStore(members);
  if ('group' in members) return readGroup(members);
  if ('end' in members) return readEnd(members.end as Members | null);
  return 'the line is of no known kind';
}

function readHeader({ rivulet_export: format, engine, at }: Members): ExportLine | string {
  if (format !== EXPORT_FORMAT) return `the file has format ${String(format)}, and this version reads ${EXPORT_FORMAT}`;
  return typeof engine === 'string' && typeof at === 'string' ? { kind: 'header', engine, at } : 'the first line is damaged';
}

function readStore({ store, epoch, removed_offset: removedOffset, removed_timestamp: removedTimestamp }: Members): ExportLine | string {
  const name = STORE_NAMES.find((known) => known === store);
  if (name === undefined) return `there is no store ${JSON.stringify(store)}; the stores are ${STORE_NAMES.join(' and ')}`;
  if (typeof epoch !== 'string' || epoch === '' || epoch.length > 64 || !isOffset(removedOffset) || !isOffset(removedTimestamp)) {
    return 'epoch, removed_offset or removed_timestamp of the store is wrong';
  }
  return { kind: 'store', name, epoch, removedOffset, removedTimestamp };
}

function readGroup({ stream, group, offset, timestamp }: Members): ExportLine | string {
  if (!isId(stream) || !isId(group)) return 'the name of the stream or of the group is no valid id';
  if (!isOffset(offset) || !isOffset(timestamp)) return 'offset or timestamp of the group is wrong';
  return { kind: 'group', stream, group, offset, timestamp };
}

function readItem({ id, created, changed, expires_at: at, lease_grace_ms: graceMs }: Members, data: string): ExportLine | string {
  if (!isId(id)) return 'the id of the item is no valid id';
  if (!isOffset(created) || !isOffset(changed)) return 'created or changed of the item is wrong';
  const expiry = readExpiry(at, graceMs);
  if (typeof expiry === 'string') return expiry;
  const scan = scanJson(data);
  if (scan.kind === 'refused') return `the value is ${scan.reason}`;
  if (parseJson(data) === undefined) return 'the value is no JSON, or data is not the last member';
  return { kind: 'item', item: id, created, changed, expiry, data };
}

function readExpiry(at: unknown, graceMs: unknown): DumpedExpiry | undefined | string {
  if (at !== undefined) return isOffset(at) ? { kind: 'ttl', at } : 'expires_at of the item is wrong';
  if (graceMs === undefined) return undefined;
  return isOffset(graceMs) ? { kind: 'leased', graceMs } : 'lease_grace_ms of the item is wrong';
}

function readEnd(end: Members | null): ExportLine | string {
  const { groups, items } = end ?? {};
  return isOffset(groups) && isOffset(items) ? { kind: 'end', groups, items } : 'the last line is damaged';
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && isValidId(value);
}

/** Offsets and times fit into six bytes. */
function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 48 - 1;
}

/** Yields the lines of a file, with their numbers. Throws IMPORT_REFUSED for a line that is too long. */
async function* linesOf(path: string): AsyncIterable<{ readonly number: number; readonly text: string }> {
  const splitter = new LineSplitter();
  let number = 0;
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 262_144 }) as AsyncIterable<string>) {
    const texts = splitter.push(chunk);
    if (splitter.chars > MOST_LINE_CHARS) throw refused(path, number + 1, `the line is longer than ${MOST_LINE_CHARS} characters`);
    for (const text of texts) yield { number: ++number, text };
  }
  const rest = splitter.end();
  if (rest !== '') yield { number: ++number, text: rest };
}

function refused(path: string, line: number, problem: string): RivuletError {
  return new RivuletError('IMPORT_REFUSED', `${path}, line ${line}: ${problem}; nothing was imported`);
}

/** A store of a file, with its groups. Read the groups of a store before the next store. */
export interface ExportedStore extends DumpedStore {
  readonly name: StoreName;
  groups(): AsyncIterable<DumpedGroup>;
}

/** Reads the stores of a file. Throws IMPORT_REFUSED, with the line, for everything that an export did not write. */
export class ExportReader {
  readonly #path: string;
  readonly #lines: AsyncIterator<{ readonly number: number; readonly text: string }>;
  #line = 0;
  #next: ExportLine | undefined;
  #groups = 0;
  #items = 0;

  constructor(path: string) {
    this.#path = path;
    this.#lines = linesOf(path)[Symbol.asyncIterator]();
  }

  async *stores(): AsyncIterable<ExportedStore> {
    if ((await this.#advance())?.kind !== 'header') throw this.#wrong('the file is no export of Rivulet');
    let line = await this.#advance();
    while (line?.kind === 'store') {
      const { kind: _, ...store } = line;
      await this.#advance();
      yield { ...store, groups: () => this.#readGroups() };
      line = this.#next;
    }
    if (line?.kind !== 'end') throw this.#wrong('the file has no last line, so the export did not end');
    if (line.groups !== this.#groups || line.items !== this.#items) throw this.#wrong(`the file has ${this.#items} items of ${line.items}`);
  }

  async close(): Promise<void> {
    await this.#lines.return?.();
  }

  async *#readGroups(): AsyncIterable<DumpedGroup> {
    while (this.#next?.kind === 'group') {
      const { kind: _, ...head } = this.#next;
      this.#groups++;
      await this.#advance();
      yield { ...head, chunks: () => this.#readChunks() };
    }
  }

  async *#readChunks(): AsyncIterable<readonly DumpedItem[]> {
    while (this.#next?.kind === 'item') {
      const chunk: DumpedItem[] = [];
      let chars = 0;
      while (this.#next?.kind === 'item' && chunk.length < 256 && chars < 1_048_576) {
        const { kind: _, ...item } = this.#next;
        chunk.push(item);
        chars += item.data.length;
        await this.#advance();
      }
      this.#items += chunk.length;
      yield chunk;
    }
  }

  async #advance(): Promise<ExportLine | undefined> {
    this.#next = undefined;
    const next = await this.#lines.next();
    if (next.done === true) return undefined;
    this.#line = next.value.number;
    const line = readExportLine(next.value.text);
    if (typeof line === 'string') throw this.#wrong(line);
    this.#next = line;
    return line;
  }

  #wrong(problem: string): RivuletError {
    return refused(this.#path, this.#line, problem);
  }
}
