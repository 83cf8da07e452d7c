import { Wildcard } from '../../structures/wildcard.js';
import type { GroupBoundsConfig, StoreConfig } from '../config.js';
import { GROUP_BOUNDS_KEYS } from '../keys/group-bounds-keys.js';
import { readFields, schemaOf } from '../keys/key.js';
import type { KeyPath } from './config-source.js';
import type { Findings } from './findings.js';
import { readSection } from './read-section.js';

const schema = schemaOf(GROUP_BOUNDS_KEYS);

const ENTRIES = 100;

/**
 * Reads `group_bounds`. An unknown key is an error in both formats, even with `--lenient-config`, because a group without its bound grows
 * without end. So is an entry that bounds nothing, or that can never apply.
 */
export function readGroupBounds(
  values: readonly unknown[],
  path: KeyPath,
  adapter: StoreConfig,
  findings: Findings,
): readonly GroupBoundsConfig[] {
  if (values.length > ENTRIES) findings.problem(path, `there are more than ${ENTRIES} entries; join some with *`);
  if (values.length > 0 && adapter.kind === 'module') {
    findings.problem(path, 'an adapter of your own decides about its bounds; remove the key, and give the adapter a config');
    return [];
  }
  const read: GroupBoundsConfig[] = [];
  for (const [index, value] of values.slice(0, ENTRIES).entries()) {
    const place = [...path, index];
    const section = readSection(schema, { value, path: place, form: 'rules' }, findings);
    if (section === undefined) continue;
    const entry = readFields(GROUP_BOUNDS_KEYS, section);
    const problem = problemOf(entry, read);
    if (problem === undefined) read.push(entry);
    else findings.problem(place, problem);
  }
  return read;
}

function problemOf({ streams, maxItems, maxBytes, maxAgeMs, onFull }: GroupBoundsConfig, before: readonly GroupBoundsConfig[]) {
  const hasSize = maxItems !== undefined || maxBytes !== undefined;
  if (!hasSize && maxAgeMs === undefined) return 'the entry bounds nothing; give max_items, max_bytes or max_age_ms';
  if (!hasSize && onFull !== 'refuse') return 'on_full needs max_items or max_bytes; give one of them, or remove on_full';
  // The other pattern has no `*` in its literal parts, so a match of the text is a match of everything that this pattern matches.
  const earlier = before.find((other) => new Wildcard(other.streams).matches(streams));
  return earlier && `the entry never applies, because the entry for "${earlier.streams}" comes first; move this entry before it`;
}
