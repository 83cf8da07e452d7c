import { itemFieldsIn, NUMBER_BYTES, numberAt, textIn, versionFieldsIn } from '../tables/records.js';
import type { Finding, Findings } from './findings.js';
import type { GroupReader } from './group-links.js';
import type { HeadList } from './head-list.js';

/** Groups that are explained. A store with more than these is damaged beyond a list. */
const EXPLAINED = 10_000;

interface Explaining {
  readonly suspects: ReadonlySet<number>;
  readonly readers: { readonly items: GroupReader; readonly order: GroupReader; readonly versions: GroupReader };
  readonly heads: HeadList;
  readonly findings: Findings;
}

/** The records of one group. Items are found by their ids, the order by offsets of creation, and versions by offsets of changes. */
interface GroupRecords {
  readonly items: Map<string, { readonly live: boolean; readonly created: number; readonly changed: number }>;
  readonly order: Map<number, string>;
  readonly versions: Map<number, { readonly live: boolean; readonly item: string }>;
}

/** Reads groups whose tables disagree, and reports what is missing and what contradicts. It needs memory for one group at a time. */
export function explainGroups({ suspects, readers, heads, findings }: Explaining): void {
  const groups = [...suspects].sort((a, b) => a - b);
  for (const group of groups.slice(0, EXPLAINED)) {
    for (const reader of [readers.items, readers.order, readers.versions]) while (reader.group < group) reader.readGroup(() => {});
    explain(group, recordsOf(group, readers), heads, findings);
  }
  const left = groups.length - EXPLAINED;
  if (left > 0) findings.add({ kind: 'contradiction', table: 'heads', problem: `the tables disagree about ${left} more groups` });
}

function recordsOf(group: number, { items, order, versions }: Explaining['readers']): GroupRecords {
  const records: GroupRecords = { items: new Map(), order: new Map(), versions: new Map() };
  if (items.group === group) items.readGroup((key, record) => records.items.set(key.toString('utf8', NUMBER_BYTES), itemFieldsIn(record)));
  if (order.group === group) order.readGroup((key, record) => records.order.set(numberAt(key, 1), textIn(record).toString()));
  if (versions.group === group)
    versions.readGroup((key, record) => {
      const { live, item } = versionFieldsIn(record);
      records.versions.set(numberAt(key, 1), { live, item: item.toString() });
    });
  return records;
}

function explain(group: number, { items, order, versions }: GroupRecords, heads: HeadList, findings: Findings): void {
  const name = heads.nameOf(group);
  const add = (kind: Finding['kind'], table: string, problem: string, item?: string) =>
    findings.add({ kind, table, problem, ...name, ...(item === undefined ? {} : { item }) });
  const head = heads.find(group);
  if (head === undefined) return add('missing', 'heads', `the group with the number ${group} has records and no head`);
  for (const [created, item] of order) {
    const record = items.get(item);
    if (record === undefined || !record.live) add('missing', 'items', 'the item is in the order of its group and has no record', item);
    else if (record.created > created) add('leftover', 'order', 'the group names an older state of the item', item);
    else if (record.created < created) add('contradiction', 'items', 'the record of the item is older than its place in the group', item);
  }
  const ordered = new Set(order.values());
  let lastChange = 0;
  for (const [changed, { live, item }] of versions) {
    lastChange = Math.max(lastChange, changed);
    const record = items.get(item);
    // A missing live item was reported above, if its place in the order is sound.
    if (record === undefined) {
      if (!live || !ordered.has(item)) add('missing', 'items', 'the item has a version and no record', item);
    } else if (record.changed > changed) add('leftover', 'versions', 'a version is of an older state of the item', item);
    else if (record.changed !== changed || record.live !== live)
      add('contradiction', 'items', 'the record of the item is not that of its last change', item);
  }
  for (const [item, { live, created, changed }] of items) {
    if (live && !order.has(created)) add('missing', 'order', 'the item has no place in the order of its group', item);
    if (!versions.has(changed)) add('missing', 'versions', 'the item has no version', item);
  }
  if (head.offset < lastChange) add('contradiction', 'heads', `the head of the group is older than its change ${lastChange}`);
  const live = [...items.values()].filter((record) => record.live).length;
  const known = Math.max(live, order.size);
  if (head.items !== live && head.items !== known)
    add('contradiction', 'heads', `the head of the group counts ${head.items} items, and the group has ${live}`);
}
