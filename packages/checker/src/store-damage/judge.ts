import type { BuiltStore } from './built-store.js';
import type { Observed, ObservedGroup } from './observe.js';

/** How a store survived a damage. `violations` are broken promises; a case without them has one of the other verdicts. */
export interface Judgement {
  readonly verdict: 'harmless' | 'reported' | 'refused' | 'violated';
  readonly violations: readonly string[];
}

/**
 * Decides whether an engine kept its promises on a damaged store. It must not return a value that was not the newest. Everything that it
 * lacks must be an error with a code, or a log line about damage.
 */
export function judge(expected: BuiltStore, observed: Observed): Judgement {
  const violations: string[] = [];
  if (observed.refusal !== undefined) {
    if (observed.refusal.code.startsWith('uncoded')) violations.push(`it refused without a code: ${observed.refusal.message}`);
    return { verdict: violations.length === 0 ? 'refused' : 'violated', violations };
  }
  const losses: string[] = [];
  for (const [index, group] of expected.groups.entries()) judgeGroup(group, observed.groups[index], violations, losses);
  for (const [index, { key }] of expected.keys.entries()) {
    const answer = observed.keys[index] ?? 'missing';
    if (answer.startsWith('uncoded')) violations.push(`the key ${key} failed without a code: ${answer}`);
    else if (answer !== 'replayed') losses.push(`the key ${key} is ${answer}`);
  }
  if (observed.removedOffset !== expected.removedOffset)
    violations.push(`a new group begins at ${observed.removedOffset} and not at ${expected.removedOffset}`);
  if (observed.epoch !== expected.epoch) violations.push('the epoch changed');
  const streams = new Set(expected.groups.filter(({ items }) => items.length > 0).map(({ stream }) => stream));
  if (typeof observed.streams === 'string') losses.push(`the streams are ${observed.streams}`);
  else for (const stream of streams) if (!observed.streams.includes(stream)) losses.push(`the stream ${stream} is not listed`);
  const reported = observed.reports.some((line) => line.endsWith('CORRUPT_ITEM'));
  if (!reported) violations.push(...losses.map((loss) => `silently, ${loss}`));
  if (violations.length > 0) return { verdict: 'violated', violations };
  return { verdict: losses.length > 0 || reported ? 'reported' : 'harmless', violations };
}

function judgeGroup(
  { stream, group, items, offset }: BuiltStore['groups'][number],
  observed: ObservedGroup | undefined,
  violations: string[],
  losses: string[],
): void {
  const name = `${stream}/${group}`;
  if (observed === undefined) {
    losses.push(`${name} was not read`);
    return;
  }
  const values = new Map(items);
  for (const [index, [item, data]] of items.entries()) {
    const got = observed.gets[index] ?? {};
    if (got.code?.startsWith('uncoded') === true) violations.push(`${name} ${item}: ${got.code}`);
    else if (got.code !== undefined || got.data === undefined) losses.push(`${name} ${item} is ${got.code ?? 'absent'}`);
    else if (got.data !== data) violations.push(`${name} ${item} has a wrong value`);
  }
  if (typeof observed.items === 'string') {
    if (observed.items.startsWith('uncoded')) violations.push(`the list of ${name}: ${observed.items}`);
    losses.push(`the list of ${name} is ${observed.items}`);
  } else {
    for (const [item, data] of observed.items) if (values.get(item) !== data) violations.push(`the list of ${name} has a wrong ${item}`);
    const listed = observed.items.map(([item]) => item);
    const order = items.map(([item]) => item).filter((item) => listed.includes(item));
    if (order.join() !== listed.join()) violations.push(`the list of ${name} has another order`);
    if (listed.length !== items.length) losses.push(`the list of ${name} has ${listed.length} of ${items.length} items`);
    if (observed.offset < offset) violations.push(`${name} is at ${observed.offset} and not at ${offset}`);
  }
  if (typeof observed.written === 'string') {
    if (observed.written.startsWith('uncoded')) violations.push(`a write to ${name}: ${observed.written}`);
    losses.push(`${name} takes no writes: ${observed.written}`);
  } else if (observed.written <= offset) violations.push(`a write to ${name} got the offset ${observed.written} again`);
  if (typeof observed.changes === 'string') {
    if (observed.changes.startsWith('uncoded')) violations.push(`the changes of ${name}: ${observed.changes}`);
  } else {
    for (const change of observed.changes) {
      const [kind, item = '', ...data] = change.split(' ');
      if (kind === 'item' && values.get(item) !== data.join(' ')) violations.push(`the changes of ${name} have a wrong ${item}`);
      if (kind === 'tombstone' && values.has(item)) violations.push(`the changes of ${name} delete ${item}`);
    }
  }
}
