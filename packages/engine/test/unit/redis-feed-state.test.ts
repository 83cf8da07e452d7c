import { afterEach, beforeEach, expect, it, test, vi } from 'vitest';
import { silentLogger } from '../../src/logging/logger.js';
import { type FeedEvent, type FeedState, nextState, placeOf, TRANSITIONS } from '../../src/store/redis/feed-state.js';
import type { GroupClient, GroupState } from '../../src/store/redis/group-client.js';
import { GroupFeed } from '../../src/store/redis/group-feed.js';

const PLACE = { epoch: 'e1', at: 4 };
const KINDS = Object.keys(TRANSITIONS) as FeedState['kind'][];
const EVENTS = Object.keys(TRANSITIONS.opening) as FeedEvent['kind'][];
const TABLE = KINDS.flatMap((from) => EVENTS.map((event) => [from, event, TRANSITIONS[from][event]] as const));

/** Returns a feed of a group that is at PLACE, without timers that matter. */
function newFeed(): GroupFeed {
  const state: GroupState = { position: { epoch: PLACE.epoch, offset: PLACE.at }, timestamp: 1, floor: 0, unwritten: false, rest: [] };
  const read = () => Promise.resolve(state);
  const groups = { read, log: read } as unknown as GroupClient;
  const events = { onCommit: () => {}, onBreak: () => {} };
  return new GroupFeed({ stream: 's', group: 'g' }, { groups, events, logger: silentLogger });
}

/** The calls that put a new feed into each state. */
const REACH: Readonly<Record<FeedState['kind'], (feed: GroupFeed) => Promise<void> | void>> = {
  opening: () => {},
  'awaiting-step': (feed) => feed.beginWithNext(),
  live: (feed) => feed.open(),
  unavailable: async (feed) => {
    await feed.open();
    feed.interrupt(new Error('lost'));
  },
  closed: (feed) => feed.close(),
};

/** The call that causes each event. */
const CAUSE: Readonly<Record<FeedEvent['kind'], (feed: GroupFeed) => Promise<void> | void>> = {
  'await-step': (feed) => feed.beginWithNext(),
  begin: (feed) => feed.open(),
  lose: (feed) => feed.interrupt(new Error('lost')),
  resume: (feed) => feed.resume(),
  close: (feed) => feed.close(),
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test.each(TABLE)('a feed that is %s gets the event %s and is %s', async (from, event, to) => {
  const feed = newFeed();
  await REACH[from](feed);
  expect(feed.state.kind).toBe(from);
  await CAUSE[event](feed);
  expect(feed.state.kind).toBe(to);
  expect(placeOf(feed.state)).toEqual(to === 'live' || to === 'unavailable' ? PLACE : undefined);
  feed.close();
  expect(vi.getTimerCount()).toBe(0);
});

it('the place of a feed that has begun is kept until it is closed', () => {
  const place = { ...PLACE };
  const live = nextState({ kind: 'opening' }, { kind: 'begin', place });
  const lost = nextState(live, { kind: 'lose' });
  expect([placeOf(live), placeOf(lost), placeOf(nextState(lost, { kind: 'resume' }))].every((each) => each === place)).toBe(true);
  expect(nextState(live, { kind: 'begin', place: { epoch: 'e2', at: 9 } })).toBe(live);
});

it('an event that changes nothing allocates nothing', () => {
  for (const kind of ['opening', 'awaiting-step', 'closed'] as const) {
    const state: FeedState = { kind };
    expect(nextState(state, { kind: 'lose' })).toBe(state);
  }
});
