import { readConfigText } from '../../core/triggers/ordered-trigger.js';

/** Which part of the streams a trigger binding is about. `undefined` = any (spec ST §2.6, §2.7). */
export interface TriggerFilter {
  readonly stream: string | undefined;
  readonly group: string | undefined;
  readonly item: string | undefined;
}

/** Reads a binding's config. Absent, `null` and `""` mean any; anything but a string is refused. */
export function readFilter(config: Readonly<Record<string, unknown>>): TriggerFilter {
  return { stream: readName(config, 'stream_name'), group: readName(config, 'group_id'), item: readName(config, 'item_id') };
}

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
