import type { Clock } from '../structures/clock.js';
import type { KnownChange } from './delivery.js';
import type { GroupName, GroupView, StoredChange, StreamsView } from './views.js';
import type { Deleted, FailedWrite, WhyRecords } from './why-records.js';

export interface ChangeQuestion extends GroupName {
  readonly item: string | undefined;
  readonly offset: number | undefined;
}

/** The change, or the refused write, that a question means. */
export type Target =
  | { readonly kind: 'change'; readonly change: KnownChange }
  /** The newest change of the item is its delete. `deleted` is absent when its cause is not known any more. */
  | { readonly kind: 'deleted'; readonly change: KnownChange; readonly deleted: Deleted | undefined }
  | { readonly kind: 'refused'; readonly write: FailedWrite }
  | { readonly kind: 'never'; readonly head: number | undefined; readonly itemOfOffset: string | undefined }
  /** Nothing says what the newest change is. */
  | { readonly kind: 'history_lost' }
  /** A write may have been refused after the newest change. */
  | { readonly kind: 'writes_lost'; readonly otherwise: Exclude<Target, { kind: 'writes_lost' }> };

interface Sources {
  readonly streams: StreamsView;
  readonly records: WhyRecords;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
}

/**
 * Finds the change that a question means.
 *
 * - With an offset, it is the change at that offset.
 * - Without one, it is the newest change of the item, or of the group. A write counts in its place when it was refused after that change
 *   and the rings still have it.
 *
 * The order is exact where the group has a log, because a refused write remembers the newest offset of its group. Rejects when the store
 * fails.
 */
export async function findTarget(question: ChangeQuestion, sources: Sources): Promise<Target> {
  const { streams, records } = sources;
  const { offset, item } = question;
  const group = streams.group(question);
  if (offset !== undefined) return targetAt(question, offset, group, streams);
  const newest = item === undefined ? await newestInGroup(question, group, sources) : await newestOfItem(question, item, group, sources);
  const changed = newest.kind === 'change' || newest.kind === 'deleted' ? newest.change.offset : 0;
  const at = changeTime(newest, group, sources);
  const refused = records.failedWrites.find(
    // A batch may have had the item among those that the record does not have.
    (write) => isOf(write, question) && (item === undefined || write.more || write.items.includes(item)),
  );
  const order = refused === undefined ? 'older' : orderOf(refused, changed, at);
  const isOfItem = refused !== undefined && (item === undefined || refused.items.includes(item));
  if (isOfItem && order === 'newer') return { kind: 'refused', write: refused };
  const isLost = records.failedWrites.overrun && (at === undefined || records.failedWrites.knownSince > at);
  return order !== 'older' || isLost ? { kind: 'writes_lost', otherwise: newest } : newest;
}

type Newest = Exclude<Target, { kind: 'refused' | 'writes_lost' }>;

async function targetAt(question: ChangeQuestion, offset: number, group: GroupView | undefined, streams: StreamsView): Promise<Target> {
  const { item: asked } = question;
  const known = group?.logged(offset);
  if (known !== undefined) {
    if (asked !== undefined && known.item !== asked) return never(group?.head, known.item);
    return { kind: 'change', change: { offset, item: known.item, isItemUnknown: false } };
  }
  if (!streams.hasPositions(question.stream)) return { kind: 'history_lost' };
  if (group === undefined || offset > group.head) {
    const head = await streams.head(question);
    if (offset > head) return never(head);
  }
  const item = await streams.itemAt(question, offset);
  if (item !== undefined && asked !== undefined && item !== asked) return never(group?.head, item);
  return { kind: 'change', change: { offset, item: item ?? asked, isItemUnknown: item === undefined } };
}

async function newestOfItem(
  question: GroupName,
  item: string,
  group: GroupView | undefined,
  { streams, records }: Sources,
): Promise<Newest> {
  const logged = group?.newestOf(item);
  const stored: StoredChange = streams.hasPositions(question.stream)
    ? await streams.newestOf(question, item)
    : { kind: 'unknown', epoch: group?.epoch };
  const newestDelete = records.deletes.find((each) => isOf(each, question) && each.item === item);
  // An offset of another epoch says nothing about this one.
  const deleted = newestDelete !== undefined && (stored.epoch ?? newestDelete.epoch) === newestDelete.epoch ? newestDelete : undefined;
  const offset = Math.max(logged?.offset ?? 0, 'offset' in stored ? stored.offset : 0);
  if (offset === 0) {
    // A delete of an earlier epoch shows that the item was written.
    if (stored.kind === 'never') return newestDelete === undefined ? never(group?.head) : { kind: 'history_lost' };
    return deleted === undefined ? { kind: 'history_lost' } : deletedTarget(deleted.offset, item, deleted);
  }
  const isDelete = deleted?.offset === offset || (stored.kind === 'deleted' && stored.offset === offset);
  if (isDelete) return deletedTarget(offset, item, deleted?.offset === offset ? deleted : undefined);
  return { kind: 'change', change: { offset, item, isItemUnknown: false } };
}

async function newestInGroup(question: GroupName, group: GroupView | undefined, { streams }: Sources): Promise<Newest> {
  const logged = group === undefined ? undefined : group.logged(group.head);
  if (logged !== undefined) return { kind: 'change', change: { offset: logged.offset, item: logged.item, isItemUnknown: false } };
  if (!streams.hasPositions(question.stream)) return { kind: 'history_lost' };
  const head = await streams.head(question);
  if (head === 0) return never(0);
  const item = await streams.itemAt(question, head);
  // Nothing says whether the last change was an event, or of a group that the store has forgotten.
  if (item === undefined) return { kind: 'history_lost' };
  return { kind: 'change', change: { offset: head, item, isItemUnknown: false } };
}

function deletedTarget(offset: number, item: string, deleted: Deleted | undefined): Newest {
  return { kind: 'deleted', change: { offset, item, isItemUnknown: false }, deleted };
}

function never(head: number | undefined, itemOfOffset?: string): Extract<Target, { kind: 'never' }> {
  return { kind: 'never', head, itemOfOffset };
}

/** Returns when the change was made, in Unix milliseconds; minus infinity without a change, `undefined` when that is not known. */
function changeTime(newest: Newest, group: GroupView | undefined, { clock }: Sources): number | undefined {
  if (newest.kind === 'never') return Number.NEGATIVE_INFINITY;
  if (newest.kind === 'history_lost') return undefined;
  if (newest.kind === 'deleted' && newest.deleted !== undefined) return newest.deleted.at;
  const { offset } = newest.change;
  const time = group?.logged(offset)?.time ?? group?.flushes?.timeOf(offset);
  return time === undefined ? undefined : clock.now() - (clock.monotonic() - time);
}

function orderOf(write: FailedWrite, changed: number, at: number | undefined): 'newer' | 'older' | 'unknown' {
  if (write.head !== undefined) return write.head >= changed ? 'newer' : 'older';
  if (at === undefined) return 'unknown';
  return write.at >= at ? 'newer' : 'older';
}

function isOf(place: GroupName, { stream, group }: GroupName): boolean {
  return place.stream === stream && place.group === group;
}
