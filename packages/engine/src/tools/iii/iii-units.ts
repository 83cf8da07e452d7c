import { readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { percentDecode, RivuletError } from '@rivulet/protocol';
import { destroy, openClient, type RedisReply, sendBytes } from '../../store/redis/connection/redis-client.js';
import { textOfIiiFile } from './iii-file.js';
import { type RawEntry, rawEntries } from './raw-entries.js';

const STREAM_PREFIX = 'stream:';
const STATE_PREFIX = 'state:';
const SUFFIX = '.bin';
const CONNECT_MS = 10_000;
const SCAN_COUNT = '512';

/** One file, or one hash in a Redis, of the original engine: a group of a stream, or a scope of state. */
export interface IiiUnit {
  readonly kind: 'stream' | 'state';
  /** The file, or the key. */
  readonly place: string;
  /** The scope; for a stream `{stream}:{group}`. */
  readonly name: string;
  /** Number of items. */
  readonly size: () => Promise<number>;
  /** Yields the items in chunks. Yields `undefined` when the file cannot be read. */
  readonly entries: () => AsyncIterable<readonly RawEntry[] | undefined>;
}

/** The stores of an original engine. */
export interface IiiSource {
  units(): AsyncIterable<IiiUnit>;
  close(): void;
}

/** Opens a directory with files of the original engine, or a directory that has such directories. */
export function openIiiDirectory(path: string): IiiSource {
  const folders = [
    path,
    ...readdirSync(path, { withFileTypes: true }).flatMap((each) => (each.isDirectory() ? [join(path, each.name)] : [])),
  ];
  const files = folders.map((folder) => ({ folder, names: readdirSync(folder).filter((name) => name.endsWith(SUFFIX)) }));
  if (files.every(({ names }) => names.length === 0)) {
    throw new RivuletError('NOT_FOUND', `${path} has no *${SUFFIX} file; name the directory in which the original engine kept its stores`);
  }
  return {
    async *units() {
      for (const { folder, names } of files) {
        const keys = names.map((name) => ({ file: join(folder, name), key: percentDecode(name.slice(0, -SUFFIX.length)) ?? name }));
        // All files of a folder belong to one store.
        const kind = keys.every(({ key }) => key.startsWith(STREAM_PREFIX)) ? 'stream' : 'state';
        for (const { file, key } of keys) yield unitOfFile(file, kind, key);
      }
    },
    close: () => {},
  };
}

function unitOfFile(file: string, kind: IiiUnit['kind'], key: string): IiiUnit {
  const read = async () => {
    const text = textOfIiiFile(await readFile(file));
    return text === undefined ? undefined : rawEntries(text);
  };
  return {
    kind,
    place: file,
    name: kind === 'stream' ? key.slice(STREAM_PREFIX.length) : key,
    size: async () => (statSync(file).size === 0 ? 0 : ((await read())?.length ?? 0)),
    async *entries() {
      yield await read();
    },
  };
}

/** Connects to a Redis that the original engine used. */
export async function openIiiRedis(url: string): Promise<IiiSource> {
  const client = await openClient(url, CONNECT_MS).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RivuletError('STORE_UNAVAILABLE', `the Redis can't be reached (${reason}); check the address`);
  });
  const send = (...words: readonly string[]) => sendBytes(client, words);
  const unitOfKey = (key: string): IiiUnit => {
    const kind = key.startsWith(STREAM_PREFIX) ? 'stream' : 'state';
    return {
      kind,
      place: key,
      name: key.slice((kind === 'stream' ? STREAM_PREFIX : STATE_PREFIX).length),
      size: async () => Number(await send('HLEN', key)),
      async *entries() {
        const seen = new Set<string>();
        for await (const words of scan((cursor) => send('HSCAN', key, cursor, 'COUNT', SCAN_COUNT))) {
          const entries: RawEntry[] = [];
          for (let at = 0; at + 1 < words.length; at += 2) {
            const [field = '', text = ''] = [words[at], words[at + 1]];
            if (!seen.has(field)) entries.push({ key: field, text });
            seen.add(field);
          }
          yield entries;
        }
      },
    };
  };
  return {
    async *units() {
      const seen = new Set<string>();
      for (const prefix of [STREAM_PREFIX, STATE_PREFIX]) {
        for await (const keys of scan((cursor) => send('SCAN', cursor, 'MATCH', `${prefix}*`, 'COUNT', SCAN_COUNT, 'TYPE', 'hash'))) {
          for (const key of keys) if (!seen.has(key)) yield unitOfKey(key);
          for (const key of keys) seen.add(key);
        }
      }
    },
    close: () => destroy(client),
  };
}

/** Yields the pages of a scan. Redis may return an entry twice. */
async function* scan(next: (cursor: string) => Promise<RedisReply>): AsyncIterable<readonly string[]> {
  for (let cursor = ''; cursor !== '0'; ) {
    const reply = await next(cursor || '0');
    const [following, page] = Array.isArray(reply) ? (reply as readonly RedisReply[]) : [];
    yield Array.isArray(page) ? page.map(String) : [];
    cursor = String(following ?? '0');
  }
}
