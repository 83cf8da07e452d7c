import { expect, test } from 'vitest';
import { factsOf } from '../../src/streams/group-facts.js';
import type { WatchState } from '../../src/streams/live/group-watch.js';

const GROUP = {
  stored_by: 'engine',
  position: 'e1:4',
  offset: 4,
  available: true,
  unavailable_ms: 0,
  subscriptions: 2,
  log: undefined,
} as const;

function shown(live: WatchState | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(factsOf({ group: GROUP, live }));
}

const LIVE: WatchState = { status: 'connecting', position: undefined, items: [], feed: [], count: 0, error: undefined };

test('the number of items is not known until the copy is whole', () => {
  expect(shown(undefined)['Items']).toBeUndefined();
  expect(shown(LIVE)['Items']).toBe('not known yet');
  expect(shown({ ...LIVE, status: 'live' })['Items']).toBe('0');
});

test('the page says that it is one of the clients which watch', () => {
  expect(shown(LIVE)['Watched by']).toBe('2 clients');
  expect(shown({ ...LIVE, status: 'live' })['Watched by']).toBe('2 clients, this page among them');
});
