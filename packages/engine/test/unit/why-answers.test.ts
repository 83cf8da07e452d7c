import { describe, expect, it } from 'vitest';
import { Why } from '../../src/why/explain.js';
import type { CursorView, GroupView, JoinView, SessionView, StoredChange, StreamsView } from '../../src/why/views.js';
import { type EndedSession, type FailedWrite, WhyRecords } from '../../src/why/why-records.js';

const PLACE = { stream: 'chat', group: 'lobby' };
const clock = { now: () => 1_000, monotonic: () => 1_000 };
const JOIN = { item: undefined, active: true, from: 0, since: -1 };
const CURSOR: CursorView = {
  state: 'live',
  through: 10,
  liveFrom: 0,
  lagFrom: -1,
  resyncedThrough: -1,
  resyncs: 0,
  isReady: true,
  joins: [JOIN],
};

interface World {
  readonly cursor?: () => CursorView | undefined;
  readonly stored?: StoredChange;
  readonly group?: Partial<GroupView>;
  /** Runs while the store is read. */
  readonly whileReading?: () => void;
}

/** An explanation over one session and one group. */
function world({ cursor = () => CURSOR, stored = { kind: 'present', offset: 10, epoch: 'e1' }, group, whileReading }: World) {
  const records = new WhyRecords(clock as ConstructorParameters<typeof WhyRecords>[0]);
  const joins: JoinView[] = [];
  const session: SessionView = {
    number: 7,
    sessionId: 's1',
    identity: 'ann',
    unsentBytes: 0,
    joins,
    cursorOf: cursor,
    unjoined: () => ({ isWaiting: false, refused: 0 }),
  };
  const streams: StreamsView = {
    sessionById: (id) => (id === 's1' ? session : undefined),
    sessionsOf: () => ({ sessions: [], more: false }),
    group: () => group && { epoch: 'e1', head: 10, flushes: undefined, logged: () => undefined, newestOf: () => undefined, ...group },
    unavailableMs: () => undefined,
    hasPositions: () => true,
    head: async () => 10,
    newestOf: async () => {
      whileReading?.();
      return stored;
    },
    itemAt: async () => 'm1',
    groupNames: async () => [],
  };
  const why = new Why(records, streams, clock as ConstructorParameters<typeof Why>[2]);
  const ask = (question: { readonly session?: string; readonly item?: string; readonly offset?: number } = {}) =>
    why.explain({ session: 's1', item: undefined, offset: undefined, ...PLACE, ...question });
  return { records, ask };
}

const ENDED: Omit<EndedSession, 'at'> = {
  session: 9,
  sessionId: 's9',
  identity: undefined,
  because: 'client_closed',
  code: 1000,
  groups: [],
  more: false,
};
const FAILED: Omit<FailedWrite, 'at' | 'head'> = {
  ...PLACE,
  items: ['m1'],
  more: false,
  kind: 'error',
  batch: true,
  failedItem: undefined,
  code: 'GROUP_FULL',
  reason: 'full',
};

describe('a session that has ended', () => {
  it('had not joined the group', async () => {
    const { records, ask } = world({});
    records.sessionEnded(ENDED);
    expect(await ask({ session: 's9' })).toMatchObject({ cause: 'session_ended', detail: { joined: false } });
  });

  it('had a join refused', async () => {
    const { records, ask } = world({});
    records.joinRefused({ ...PLACE, session: 9, item: undefined, by: 'function', function: 'app::may', reason: 'unauthorized' });
    records.sessionEnded(ENDED);
    expect(await ask({ session: 's9' })).toMatchObject({ cause: 'join_refused', detail: { function: 'app::may' } });
  });

  it('may have joined the group with a join that is not kept', async () => {
    const { records, ask } = world({});
    records.sessionEnded({ ...ENDED, more: true });
    expect(await ask({ session: 's9' })).toMatchObject({
      cause: 'not_known_any_more',
      detail: { missing: 'joins', otherwise: { cause: 'session_ended' } },
    });
  });
});

describe('an answer that waits for the store', () => {
  it('says what the client has got meanwhile', async () => {
    let cursor = { ...CURSOR, through: 9 };
    const { ask } = world({ cursor: () => cursor, whileReading: () => (cursor = CURSOR) });
    expect(await ask({ item: 'm1' })).toMatchObject({ cause: 'delivered', offset: 10 });
  });

  it('says that the session has ended meanwhile', async () => {
    let cursor: CursorView | undefined = { ...CURSOR, through: 9 };
    const { records, ask } = world({
      cursor: () => cursor,
      whileReading: () => {
        cursor = undefined;
        records.sessionEnded({ ...ENDED, session: 7, groups: [{ ...PLACE, ...CURSOR, through: 9 }] });
      },
    });
    expect(await ask({ item: 'm1' })).toMatchObject({ cause: 'session_ended', detail: { through: 9 } });
  });
});

describe('a change before the last catch-up', () => {
  it.each([
    [{ liveFrom: 0 }, 5, 'flush'],
    [{ liveFrom: 8, lagFrom: 4 }, 9, 'flush'],
    [{ liveFrom: 8, lagFrom: 4 }, 8, 'catch_up'],
    [{ liveFrom: 8, lagFrom: 4 }, 4, undefined],
    [{ liveFrom: 8, lagFrom: -1 }, 4, 'catch_up'],
    // A resync gave up the cursor, so nobody knows where the client was live before.
    [{ liveFrom: 8, lagFrom: -1, resyncs: 1 }, 4, undefined],
    [{ state: 'catching_up', liveFrom: 0, lagFrom: 4 }, 4, 'flush'],
    [{ state: 'catching_up', liveFrom: 0, lagFrom: 4 }, 5, 'catch_up'],
  ] as const)('with the cursor %o, the change %i came by %s', async (state, offset, by) => {
    const { ask } = world({ cursor: () => ({ ...CURSOR, ...state }) });
    const { cause, detail } = await ask({ offset });
    expect({ cause, by: 'by' in detail ? detail.by : undefined }).toEqual({ cause: 'delivered', by });
  });
});

describe('a batch that was refused', () => {
  it('may have had the item among those that are not kept', async () => {
    const { records, ask } = world({ group: { head: 10 } });
    records.writeFailed({ ...FAILED, more: true });
    expect(await ask({ item: 'm1' })).toMatchObject({ cause: 'refused_with_batch' });
    expect(await ask({ item: 'm2' })).toMatchObject({
      cause: 'not_known_any_more',
      detail: { missing: 'refused_writes', otherwise: { cause: 'delivered' } },
    });
  });
});

describe('a delete of another epoch', () => {
  const before = { ...PLACE, item: 'm1', effect: 'delete', position: { epoch: 'e0', offset: 10 } } as const;

  it('is no reason for a change with the same offset', async () => {
    const { records, ask } = world({});
    records.committed(before, 'call');
    expect(await ask({ item: 'm1' })).toMatchObject({ cause: 'delivered', offset: 10 });
  });

  it('shows that the item was written', async () => {
    const { records, ask } = world({ stored: { kind: 'never', epoch: 'e1' } });
    records.committed(before, 'call');
    expect(await ask({ item: 'm1' })).toMatchObject({ cause: 'not_known_any_more', detail: { missing: 'history_of_item' } });
  });
});
