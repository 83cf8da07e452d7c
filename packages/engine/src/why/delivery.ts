import type { Clock } from '../structures/clock.js';
import { answerOf, type DetailOf, type WhyAnswer } from './causes.js';
import type { CursorView, GroupName, GroupView, JoinView } from './views.js';
import type { WhyRecords } from './why-records.js';

/** Items that an answer names. */
const SHOWN_ITEMS = 20;

/** A change of which the offset is known. `item`: `undefined` for a change of the whole group, `unknown` when the item is not known. */
export interface KnownChange {
  readonly offset: number;
  readonly item: string | undefined;
  readonly isItemUnknown: boolean;
}

export interface DeliveryInput {
  readonly records: WhyRecords;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly ref: GroupName;
  /** The common members of the details. */
  readonly subject: Subject;
  /** Number of the session. */
  readonly session: number;
  readonly cursor: CursorView;
  readonly group: GroupView | undefined;
  readonly unsentBytes: number;
}

/** Members that all details have. */
export interface Subject extends GroupName {
  readonly session_id?: string;
  readonly identity?: string;
  readonly item?: string;
}

/** Returns what became of a change for a session that has a cursor into its group. */
export function deliveryOf(input: DeliveryInput, change: KnownChange): WhyAnswer {
  const { cursor, ref, subject, records } = input;
  const { offset } = change;
  const detail = change.item === undefined ? subject : { ...subject, item: change.item };
  const { joins } = cursor;
  const matching = joins.filter(({ item }) => item === undefined || (!change.isItemUnknown && item === change.item));
  if (matching.length === 0) {
    if (change.isItemUnknown) return answerOf('not_known_any_more', { ...detail, missing: 'item_of_offset' }, { offset });
    return answerOf('filtered', filteredDetail(detail, joins), { offset });
  }
  const active = matching.filter((join) => join.active);
  if (active.length === 0) return behind(input, detail, offset, 'join');
  if (offset > cursor.through) return behind(input, detail, offset, cursor.isReady ? 'engine' : 'reader');
  const first = active.find(({ from }) => from < offset);
  if (first === undefined) return beforeJoin(detail, offset, active);
  if (offset <= cursor.resyncedThrough) {
    let known = 0;
    for (const resync of records.resyncs.newestFirst()) {
      if (resync.session !== input.session || resync.stream !== ref.stream || resync.group !== ref.group) continue;
      known++;
      if (resync.from >= offset || resync.to < offset || (resync.item !== undefined && resync.item !== change.item)) continue;
      const { at, mode, reason, from, to } = resync;
      return answerOf('resynced', { ...detail, mode, reason, from, to }, { at, offset });
    }
    if (known < cursor.resyncs) {
      const since = { known_since_ms: records.resyncs.knownSince };
      return answerOf('not_known_any_more', { ...detail, missing: 'delivery', ...since }, { offset });
    }
  }
  const by = handedBy(cursor, offset);
  return answerOf(
    'delivered',
    { ...detail, ...(by === undefined ? {} : { by }) },
    { at: by === 'flush' ? flushedAt(input, offset) : undefined, offset },
  );
}

/**
 * Returns how a change was handed over. The cursor knows its last catch-up and the flushes since then. `undefined`: the change was before
 * both.
 */
function handedBy({ state, liveFrom, lagFrom, resyncs }: CursorView, offset: number): 'flush' | 'catch_up' | undefined {
  const isAfterCatchUp = liveFrom >= 0 && offset > liveFrom;
  if (isAfterCatchUp && (state === 'live' || offset <= lagFrom)) return 'flush';
  // A resync has begun without the cursor of before.
  return offset > lagFrom && (lagFrom >= 0 || resyncs === 0) ? 'catch_up' : undefined;
}

/** Returns the answer about a change that is no newer than the answers of the joins. */
function beforeJoin(subject: Subject, offset: number, joins: readonly Pick<JoinView, 'from' | 'since'>[]): WhyAnswer {
  const had = joins.find(({ since }) => since >= offset);
  if (had !== undefined) return answerOf('had_already', { ...subject, joined_at_offset: had.since }, { offset });
  const caughtUp = joins.find(({ since }) => since >= 0);
  if (caughtUp !== undefined) {
    const { since: from, from: to } = caughtUp;
    return answerOf('resynced', { ...subject, mode: 'changes', reason: 'resumed', from, to }, { offset });
  }
  const joined = joins.reduce((least, { from }) => Math.min(least, from), Number.MAX_SAFE_INTEGER);
  return answerOf('in_sync', { ...subject, joined_at_offset: joined }, { offset });
}

/** Returns the details of a change that no join of the session wants. */
export function filteredDetail(subject: Subject, joins: Iterable<{ readonly item: string | undefined }>): DetailOf<'filtered'> {
  const items = [...new Set(Array.from(joins, ({ item }) => item).filter((item) => item !== undefined))];
  return { ...subject, items: items.slice(0, SHOWN_ITEMS), more: items.length > SHOWN_ITEMS };
}

function behind(
  { cursor, group, unsentBytes }: DeliveryInput,
  subject: Subject,
  offset: number,
  waitsFor: DetailOf<'behind'>['waits_for'],
): WhyAnswer {
  const head = Math.max(group?.head ?? 0, offset);
  const { through } = cursor;
  const missing = head - Math.max(0, through);
  return answerOf('behind', { ...subject, through, head, behind: missing, unsent_bytes: unsentBytes, waits_for: waitsFor }, { offset });
}

/** Returns the time of the flush that sent the change, in Unix milliseconds; `undefined` when it is not known any more. */
function flushedAt({ group, clock }: DeliveryInput, offset: number): number | undefined {
  const time = group?.flushes?.timeOf(offset);
  return time === undefined ? undefined : clock.now() - (clock.monotonic() - time);
}
