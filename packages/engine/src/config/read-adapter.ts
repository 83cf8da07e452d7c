import type { StoreConfig } from './config.js';
import type { Findings } from './findings.js';
import { ADAPTERS, type AdapterOwner } from './known-names.js';
import { nearestName } from './nearest-name.js';
import { isMapping, readSection, type Section, shown } from './read-section.js';
import { kvSchemas } from './worker-schemas.js';

export interface Adapter {
  readonly name: string;
  readonly config: Section;
}

const ADAPTER_KEYS = ['name', 'class', 'config'] as const;

/** Which adapter a worker asks for, by its present name; absent and null mean the default one. */
export function readAdapter(owner: AdapterOwner, section: Section, findings: Findings): Adapter | undefined {
  const { value, path, form } = section;
  const known = ADAPTERS[owner];
  if (value === undefined || value === null) return { name: known.names[0], config: { ...section, value: undefined } };
  if (!isMapping(value)) {
    findings.problem(path, `${shown(value)} is not valid; expected a mapping with name and config`);
    return undefined;
  }
  for (const key of Object.keys(value)) {
    if (!ADAPTER_KEYS.some((candidate) => candidate === key)) findings.unknownKey(form, [...path, key], ADAPTER_KEYS);
  }
  const byName = value.name === undefined ? undefined : known.names.find((name) => name === value.name);
  const byClass = typeof value.class === 'string' && Object.hasOwn(known.classes, value.class) ? known.classes[value.class] : undefined;
  for (const [key, found, candidates] of [
    ['name', byName, known.names],
    ['class', byClass, Object.keys(known.classes)],
  ] as const) {
    if (value[key] === undefined || found !== undefined) continue;
    const near = nearestName(typeof value[key] === 'string' ? value[key] : '', candidates);
    const hint = near === undefined ? '' : `did you mean ${near}? `;
    findings.problem([...path, key], `unknown ${owner} adapter ${shown(value[key])}; ${hint}known: ${candidates.join(', ')}`);
    return undefined;
  }
  const name = byName ?? byClass;
  if (name === undefined) {
    findings.problem(path, `the adapter has no name; give one of: ${known.names.join(', ')}`);
    return undefined;
  }
  if (byName !== undefined && byClass !== undefined && byName !== byClass) {
    findings.problem(path, `name ${byName} and class ${String(value.class)} are different adapters; keep one of them`);
    return undefined;
  }
  return { name, config: { value: value.config, path: [...path, 'config'], form } };
}

/** The store that the kv adapter of a worker is. `resolvePath` makes a path absolute. */
export function readKvStore(
  owner: 'stream' | 'state',
  section: Section,
  resolvePath: (path: string) => string,
  findings: Findings,
): StoreConfig | undefined {
  const kv = readSection(kvSchemas[owner], section, findings);
  if (kv === undefined) return undefined;
  if (kv.store_method === 'in_memory') return { kind: 'memory' };
  return { kind: 'lmdb', path: resolvePath(kv.file_path), durability: kv.durability, saveIntervalMs: kv.save_interval_ms };
}
