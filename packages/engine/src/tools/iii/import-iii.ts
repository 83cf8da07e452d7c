import { parseJson, scanJson } from '@rivulet/protocol';
import type { Config } from '../../config/config.js';
import type { DumpedGroup, DumpedItem } from '../../store/shared/dump.js';
import { isValidId } from '../../store/shared/ids.js';
import type { OnStep } from '../backup.js';
import type { StoreName } from '../carried-stores.js';
import { type ImportedStore, type ImportReport, importStores } from '../import.js';
import { type IiiSource, type IiiUnit, openIiiDirectory, openIiiRedis } from './iii-units.js';
import type { RawEntry } from './raw-entries.js';

/** The stream under which the state store keeps scopes. */
const STATE_STREAM = 'state';
/** Problems that are listed. Others are counted. */
const LISTED = 1_000;

export interface IiiOptions {
  /** Takes numbers that a double cannot hold, rounded. @default false */
  readonly lossyNumbers: boolean;
  /** Leaves out everything that cannot be kept. @default false */
  readonly skip: boolean;
  /** Names of streams, for names that could be read in several ways. */
  readonly streams: readonly string[];
  readonly onStep: OnStep;
}

/** Something that cannot be kept. */
export interface IiiProblem {
  /** The file, or the key in the Redis. */
  readonly place: string;
  /** The item, if the problem is not that of the whole file. */
  readonly key: string | undefined;
  readonly problem: string;
}

export interface IiiReport extends ImportReport {
  /** False when problems were found and `skip` was not set. Then nothing was imported. */
  readonly imported: boolean;
  readonly problems: readonly IiiProblem[];
  readonly problemCount: number;
}

type OnProblem = (place: string, key: string | undefined, problem: string) => void;

/** Imports the stores of an original engine from its directory, or from its Redis. Checks everything before it imports anything. */
export async function importIii(from: string, config: Config, options: IiiOptions): Promise<IiiReport> {
  const source = /^rediss?:\/\//.test(from) ? await openIiiRedis(from) : openIiiDirectory(from);
  try {
    const problems: IiiProblem[] = [];
    let problemCount = 0;
    const kinds = new Set<StoreName>();
    for await (const unit of source.units()) {
      kinds.add(unit.kind);
      const note: OnProblem = (place, key, problem) => {
        problemCount++;
        if (problems.length < LISTED) problems.push({ place, key, problem });
      };
      const group = groupOf(unit, 0, options, note);
      if (group === undefined) continue;
      for await (const _ of group.chunks()) options.onStep(`checks ${unit.place}`, 0, 0);
    }
    const found = { problems, problemCount };
    if (problemCount > 0 && !options.skip) return { imported: false, groups: 0, items: 0, stores: [], ...found };
    const report = await importStores(storesOf(source, [...kinds], options), config, { keepEpoch: false, onStep: options.onStep });
    return { imported: true, ...report, ...found };
  } finally {
    source.close();
  }
}

async function* storesOf(source: IiiSource, kinds: readonly StoreName[], options: IiiOptions): AsyncIterable<ImportedStore> {
  for (const name of kinds) {
    yield { name, epoch: '', removedOffset: 0, removedTimestamp: 0, groups: () => groupsOf(source, name, options) };
  }
}

async function* groupsOf(source: IiiSource, kind: StoreName, options: IiiOptions): AsyncIterable<DumpedGroup> {
  for await (const unit of source.units()) {
    if (unit.kind !== kind) continue;
    const group = groupOf(unit, await unit.size(), options, () => {});
    if (group !== undefined) yield group;
  }
}

function groupOf(unit: IiiUnit, size: number, options: IiiOptions, note: OnProblem): DumpedGroup | undefined {
  const names = namesOf(unit, options.streams);
  if (typeof names === 'string') {
    note(unit.place, undefined, names);
    return undefined;
  }
  // The original engine keeps no times.
  return { ...names, offset: size, timestamp: Date.now(), chunks: () => itemsOf(unit, options, note) };
}

/** Returns the group of a unit, or a sentence about its name. */
function namesOf({ kind, name }: IiiUnit, streams: readonly string[]): { readonly stream: string; readonly group: string } | string {
  if (kind === 'state')
    return isValidId(name) ? { stream: STATE_STREAM, group: name } : 'the scope is no valid id; rename it in the original';
  const known = streams.filter((stream) => name.startsWith(`${stream}:`)).sort((a, b) => b.length - a.length)[0];
  const parts = name.split(':');
  if (known === undefined && parts.length > 2) {
    return `"${name}" may be a group of the stream "${parts[0]}" or of "${parts.slice(0, 2).join(':')}"; name the stream with --stream`;
  }
  const stream = known ?? parts[0] ?? '';
  const group = name.slice(stream.length + 1);
  if (stream === '' || group === '' || !isValidId(stream) || !isValidId(group)) return `"${name}" has no valid ids of a stream and a group`;
  return { stream, group };
}

async function* itemsOf(unit: IiiUnit, options: IiiOptions, note: OnProblem): AsyncIterable<readonly DumpedItem[]> {
  let offset = 0;
  const seen = new Set<string>();
  for await (const entries of unit.entries()) {
    if (entries === undefined) {
      note(unit.place, undefined, 'the file is no JSON object with its trailer, so it is damaged or of another program');
      return;
    }
    const items: DumpedItem[] = [];
    for (const entry of entries) {
      const data = seen.has(entry.key) ? { problem: 'the key is in the file twice' } : dataOf(entry, options);
      seen.add(entry.key);
      if (typeof data === 'object') {
        note(unit.place, entry.key, data.problem);
        continue;
      }
      offset++;
      items.push({ item: entry.key, data, created: offset, changed: offset, expiry: undefined });
    }
    yield items;
  }
}

/** Returns the value as our stores keep it. */
function dataOf({ key, text }: RawEntry, { lossyNumbers }: IiiOptions): string | { readonly problem: string } {
  if (!isValidId(key)) return { problem: 'the key is no valid id' };
  const scan = scanJson(text);
  if (scan.kind === 'refused') return { problem: `the value is ${scan.reason}` };
  const value = parseJson(text);
  if (value === undefined) return { problem: 'the value is no JSON' };
  if (scan.inexactNumbers && !lossyNumbers) {
    return { problem: 'a number is beyond ±(2^53−1) or has too many digits; --lossy-numbers takes it, rounded' };
  }
  return JSON.stringify(value);
}
