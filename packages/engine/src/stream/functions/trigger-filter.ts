import { readConfigText } from '../../core/triggers/ordered-trigger.js';

/** The streams, groups and items of a trigger binding (spec ST §2.6, §2.7). `undefined`: any. */
export interface TriggerFilter {
  readonly stream: string | undefined;
  readonly group: string | undefined;
  readonly item: string | undefined;
}

/** Reads the config of a binding. Absent, `null` and `""` mean any. Throws when a member is not a string. */
export function readFilter(config: Readonly<Record<string, unknown>>): TriggerFilter {
  return { stream: readName(config, 'stream_name'), group: readName(config, 'group_id'), item: readName(config, 'item_id') };
}

/** Returns whether a filter matches an item; `undefined`: a whole group. */
export function matches(filter: TriggerFilter, stream: string, group: string, item: string | undefined): boolean {
  return (
    (filter.stream === undefined || filter.stream === stream) &&
    (filter.group === undefined || filter.group === group) &&
    (filter.item === undefined || filter.item === item)
  );
}

function readName(config: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const name = readConfigText(config, key);
  return name === '' ? undefined : name;
}
