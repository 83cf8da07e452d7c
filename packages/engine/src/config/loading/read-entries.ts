import { nearestName } from '@rivulet/protocol';
import type { KeyPath } from './config-source.js';
import type { EntryForm, Findings } from './findings.js';
import { CLASSES, NAMES, type WorkerName } from './known-names.js';
import { isMapping, type Mapping, type Section, shown } from './read-section.js';

/** One listed worker with a known name. */
export interface WorkerEntry {
  readonly worker: WorkerName;
  /** The name as the file has it: the name itself, an alias, or the old class. */
  readonly written: string;
  readonly path: KeyPath;
  readonly config: Section;
}

const ENTRY_KEYS = ['name', 'class', 'config', 'image'] as const;

/** Workers that no file may list twice, not even with `--lenient-config`, because two stores of the same items make no sense. */
const IN_SCOPE: ReadonlySet<WorkerName> = new Set<WorkerName>(['rivulet-stream', 'rivulet-state', 'rivulet-http', 'rivulet-admin']);

/** Returns all entries of `workers:`, then those of `modules:`, in order. */
export function readEntries(root: Mapping, findings: Findings): readonly WorkerEntry[] {
  const entries: WorkerEntry[] = [];
  for (const listKey of ['workers', 'modules'] as const) {
    const list = root[listKey];
    if (list === undefined || list === null) continue;
    if (!Array.isArray(list)) {
      findings.problem([listKey], `${shown(list)} is not valid; expected a list of entries with name and config`);
      continue;
    }
    for (const [index, value] of list.entries()) {
      const entry = readEntry(value, [listKey, index], findings);
      if (entry !== undefined) entries.push(entry);
    }
  }
  return withoutDoubles(entries, findings);
}

function readEntry(value: unknown, path: KeyPath, findings: Findings): WorkerEntry | undefined {
  if (!isMapping(value)) {
    findings.problem(path, `${shown(value)} is not valid; expected an entry with name and config`);
    return undefined;
  }
  const form: EntryForm = value.name === undefined ? 'class' : 'name';
  for (const key of Object.keys(value)) {
    if (!ENTRY_KEYS.some((candidate) => candidate === key)) findings.unknownKey(form, [...path, key], ENTRY_KEYS);
  }
  if (value.name === undefined && value.class === undefined) {
    findings.problem(path, 'the entry has neither name nor class; add name, rivulet-stream for instance');
    return undefined;
  }
  const byName = resolve('name', value, path, findings);
  const byClass = resolve('class', value, path, findings);
  if (byName === 'unknown' || byClass === 'unknown') return undefined;
  if (byName !== undefined && byClass !== undefined && byName !== byClass) {
    findings.problem(path, `name ${shown(value.name)} and class ${shown(value.class)} are different workers; keep one of them`);
    return undefined;
  }
  const worker = byName ?? byClass;
  if (worker === undefined) return undefined;
  return { worker, written: String(value.name ?? value.class), path, config: { value: value.config, path: [...path, 'config'], form } };
}

function resolve(key: 'name' | 'class', entry: Mapping, path: KeyPath, findings: Findings): WorkerName | 'unknown' | undefined {
  const written = entry[key];
  if (written === undefined) return undefined;
  const table = key === 'name' ? NAMES : CLASSES;
  const text = typeof written === 'string' ? written : '';
  const worker = table.get(text);
  if (worker !== undefined) return worker;
  const near = nearestName(text, table.keys()) ?? otherPrefix(text, table);
  const remedy = near === undefined ? `known: ${[...table.keys()].join(', ')}` : `did you mean ${near}?`;
  findings.problemUnlessLenient('unknown_worker', [...path, key], `unknown worker ${shown(written)}; ${remedy}`);
  return 'unknown';
}

/** Returns a known name that has another prefix, such as `rivulet-stream` for `stream`, and `iii-queue` for `rivulet-queue`. */
function otherPrefix(written: string, table: ReadonlyMap<string, WorkerName>): string | undefined {
  const bare = written.replace(/^(?:rivulet|iii)-/, '');
  return [`rivulet-${bare}`, `iii-${bare}`].find((name) => table.has(name));
}

/** Removes repeated entries. Several worker managers are several listeners. Any other worker counts once, and the first entry wins. */
function withoutDoubles(entries: readonly WorkerEntry[], findings: Findings): readonly WorkerEntry[] {
  const kept = new Map<WorkerName, WorkerEntry[]>();
  return entries.filter((entry) => {
    const before = kept.get(entry.worker) ?? [];
    const first = before.find((other) => isDouble(other, entry));
    if (first === undefined) {
      kept.set(entry.worker, [...before, entry]);
      return true;
    }
    const which = entry.written === first.written ? `${entry.written} is` : `${first.written} and ${entry.written} are the same worker,`;
    const message = `${which} listed twice; remove one of the entries`;
    if (IN_SCOPE.has(entry.worker) || entry.written !== first.written) findings.problem(entry.path, message);
    else findings.problemUnlessLenient('listed_twice', entry.path, message);
    return false;
  });
}

function isDouble(first: WorkerEntry, second: WorkerEntry): boolean {
  if (second.worker === 'rivulet-worker-manager') return false;
  // Old files list logging and telemetry of the engine as two classes. They are one worker now.
  const mayRepeat = second.worker === 'rivulet-observability' && (first.config.form === 'class' || second.config.form === 'class');
  return !mayRepeat || first.written === second.written;
}
