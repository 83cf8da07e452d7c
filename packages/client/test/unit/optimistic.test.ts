import { expect, it } from 'vitest';
import { StreamError } from '../../src/access/stream-error.js';
import type { Draft } from '../../src/calls/call-types.js';
import { PendingDrafts } from '../../src/optimistic/pending-drafts.js';
import { CoalescedNotifier } from '../../src/subscription/coalesced-notifier.js';
import { ModelView } from '../overlay-model.js';
import { TestClock } from '../test-clock.js';

const GROUP = { stream: 's', group: 'g' };
const REFUSED = new StreamError('FORBIDDEN', 'refused');
const row = (id: string, created: number, data: unknown = id, offset = created) => ({ id, data, created, offset });
const set = (id: string, offset: number, data: unknown) =>
  ({ type: 'update', streamName: 's', groupId: 'g', itemId: id, data, offset, created: undefined, through: undefined }) as const;

/** A view of the group `g` (and of others) with the items `a` and `b` at offset 2, and the overlay over them. */
function setUp(targets: readonly (readonly [group: string, item?: string])[] = [['g']]) {
  const clock = new TestClock();
  const views = targets.map(([group, item]) => new ModelView(group, item));
  const errors: StreamError[] = [];
  const drafts = new PendingDrafts({ clock, subscriptions: () => views as never, report: (error) => errors.push(error) });
  for (const view of views) {
    const items = view.target.group === 'g' ? [row('a', 1), row('b', 2)].filter(({ id }) => (view.target.item ?? id) === id) : [];
    view.status = 'live';
    view.replica.replace(items, { epoch: 'e1', offset: 2 }, undefined);
    view.notices = 0;
  }
  const answer = (id: string, offset: number | undefined, epoch = 'e1', groups = ['g']) =>
    drafts.settled(id, {
      kind: 'result',
      result: null,
      positions: groups.map((group) => ({ stream: 's', group, position: offset === undefined ? undefined : { epoch, offset } })),
    });
  const refuse = (id: string) => drafts.settled(id, { kind: 'error', error: REFUSED, positions: [] });
  const begin = (id: string, change: (draft: Draft) => void, sends = true) => {
    const groups = drafts.begin(id, change);
    if (sends) drafts.sent(id);
    return groups;
  };
  const [view] = views as [ModelView];
  const shown = (of = view) =>
    of.replica.shown.items.map(({ id, data, pending }) => `${id}=${String(data)}${pending ? '?' : ''}`).join(' ');
  return { clock, views, view, drafts, errors, begin, answer, refuse, shown };
}

const replace = (id: string, data: unknown) => (draft: Draft) => draft.group('s', 'g').set(id, data);
const append = (id: string, text: string) => (draft: Draft) => draft.group<string>('s', 'g').update(id, (old) => old + text);

it('a draft shows at once as pending, and names the groups that it changed', () => {
  const { view, begin, shown } = setUp();
  const groups = begin('c1', (draft) => {
    const group = draft.group<string>('s', 'g');
    group.set('c', 'new');
    group.update('a', (old) => `${old}!`);
    group.update('nobody', () => 'never');
    group.delete('b');
    expect(group.items.map(({ id, data }) => [id, data])).toEqual([
      ['a', 'a!'],
      ['c', 'new'],
    ]);
    expect(group.get('b')).toBeUndefined();
    expect(draft.group('s', 'other').items).toEqual([]);
  });
  expect(groups).toEqual([GROUP]);
  expect(shown()).toBe('a=a!? c=new?');
  expect(view.replica.shown.size).toBe(2);
  expect(view.notices).toBe(1);
  expect(view.replica.mirror.items.map(({ data }) => data)).toEqual(['a', 'b']);
});

it('the change comes before the answer, or after it: no old value, and nothing of the overlay stays', () => {
  for (const isChangeFirst of [true, false]) {
    const { view, begin, answer, shown } = setUp();
    begin('c1', append('a', '!'));
    const steps = [() => view.replica.apply([set('a', 3, 'a!')], 3), () => answer('c1', 3)];
    if (!isChangeFirst) steps.reverse();
    for (const step of steps) {
      expect(shown()).toBe('a=a!? b=b');
      step();
    }
    expect(shown()).toBe('a=a! b=b');
    expect(view.replica.overlay).toBeUndefined();
    expect(view.statuses.size).toBe(0);
  }
});

it('a refused call is rolled back, and later drafts run again without it', () => {
  const { view, begin, refuse, answer, shown } = setUp();
  begin('c1', append('a', '1'));
  begin('c2', append('a', '2'));
  expect(shown()).toBe('a=a12? b=b');
  view.replica.apply([set('b', 3, 'B')], 3);
  refuse('c1');
  expect(shown()).toBe('a=a2? b=B');
  view.replica.apply([set('a', 4, 'a2')], 4);
  answer('c2', 4);
  expect(shown()).toBe('a=a2 b=B');
});

it('an earlier call that fails after a change of the item came: the later draft runs again when its basis is back', () => {
  const { view, begin, refuse, shown } = setUp();
  begin('c1', append('a', '1'));
  begin('c2', append('a', '2'));
  // Such a change may be that of either call, so nothing runs again.
  view.replica.apply([set('a', 3, 'x')], 3);
  expect(shown()).toBe('a=a12? b=b');
  view.replica.apply([set('a', 4, 'a')], 4);
  refuse('c1');
  expect(shown()).toBe('a=a2? b=b');
});

it('a call that is not sent yet runs again over each change; one that is sent keeps what it did last', () => {
  const { view, drafts, begin, shown } = setUp();
  begin('c1', append('a', '!'), false);
  view.replica.apply([set('a', 3, 'x')], 3);
  expect(shown()).toBe('a=x!? b=b');
  drafts.sent('c1');
  view.replica.apply([set('b', 4, 'B')], 4);
  view.replica.apply([set('a', 5, 'y')], 5);
  expect(shown()).toBe('a=x!? b=B');
});

it('what a view gets while it catches up was there before a call that is sent meanwhile', () => {
  const { view, drafts, begin, shown } = setUp();
  view.enter('stale');
  begin('c1', append('a', '!'), false);
  drafts.sent('c1');
  view.replica.apply([set('a', 3, 'x')], 3);
  expect(shown()).toBe('a=x!? b=b');
  view.status = 'live';
  view.replica.apply([set('a', 4, 'y')], 4);
  view.statuses.emit('live');
  expect(shown()).toBe('a=y!? b=b');
  view.replica.apply([set('a', 5, 'y!')], 5);
  expect(shown()).toBe('a=y!? b=b');
});

it('an answer of a later epoch waits for the `sync` of that epoch; an answer of an epoch that the view has left does not wait', () => {
  const { view, begin, answer, shown } = setUp();
  begin('c1', append('a', '!'));
  answer('c1', 1, 'e2');
  expect(shown()).toBe('a=a!? b=b');
  view.replica.replace([row('a', 1, 'a!')], { epoch: 'e2', offset: 1 }, 'epoch');
  expect(shown()).toBe('a=a!');
  begin('c2', append('a', '?'));
  view.replica.replace([row('a', 1, 'a!?')], { epoch: 'e3', offset: 1 }, 'epoch');
  answer('c2', 2, 'e2');
  expect(shown()).toBe('a=a!?');
  expect(view.replica.overlay).toBeUndefined();
});

it('a stream without positions drops the draft with the result; a view that is not live waits until it is', () => {
  const { view, begin, answer, shown } = setUp();
  view.replica.replace([row('a', 1), row('b', 2)], undefined, undefined);
  begin('c1', append('a', '!'));
  answer('c1', undefined);
  expect(shown()).toBe('a=a b=b');
  begin('c2', append('a', '!'));
  view.enter('stale');
  answer('c2', undefined);
  expect(shown()).toBe('a=a!? b=b');
  view.status = 'live';
  view.replica.apply([set('a', 3, 'a!')], 3);
  view.statuses.emit('live');
  expect(shown()).toBe('a=a! b=b');
});

it('an answer without a position, in a stream that has positions: the draft stays until its change comes, or a wait is over', () => {
  const { clock, view, begin, answer, shown } = setUp();
  begin('c1', append('a', '!'));
  // The store of the engine took too long to tell the position.
  answer('c1', undefined);
  expect(shown()).toBe('a=a!? b=b');
  view.replica.apply([set('a', 3, 'a!')], 3);
  expect(shown()).toBe('a=a! b=b');
  begin('c2', append('a', '?'));
  answer('c2', undefined);
  expect(shown()).toBe('a=a!?? b=b');
  clock.pass(1_000);
  expect(shown()).toBe('a=a! b=b');
});

it('an answer of an epoch that a live view does not reach is over after a wait', () => {
  const { clock, view, begin, answer, shown } = setUp();
  begin('c1', append('a', '!'));
  answer('c1', 3, 'e9');
  expect(shown()).toBe('a=a!? b=b');
  clock.pass(1_000);
  expect(shown()).toBe('a=a b=b');
  expect(view.replica.overlay).toBeUndefined();
});

it('a view of an item follows: with its own change, with a view of the group, or after a wait', () => {
  const { clock, view, views, begin, answer, shown } = setUp([['g', 'a']]);
  begin('c1', append('a', '!'));
  answer('c1', 4);
  expect(shown()).toBe('a=a!?');
  // The value is that of the draft, whatever changed in the group after it.
  view.replica.apply([set('a', 3, 'a!')], 3);
  expect(shown()).toBe('a=a!');
  begin('c2', append('a', '?'));
  answer('c2', 6);
  view.replica.apply([set('a', 5, 'other')], 5);
  expect(shown()).toBe('a=a!??');
  clock.pass(1_000);
  expect(shown()).toBe('a=other');
  expect(view.replica.overlay).toBeUndefined();
  expect(views).toHaveLength(1);
});

it('a view of an item follows when the engine says that it has everything up to the position, and so do other views of items', () => {
  const { views, view, begin, answer, shown } = setUp([
    ['g', 'a'],
    ['g', 'b'],
  ]);
  const [, other] = views as [ModelView, ModelView];
  begin('c1', (draft) => {
    replace('a', 'draft')(draft);
    replace('b', 'draft')(draft);
  });
  view.replica.apply([set('a', 3, 'own')], 3);
  other.replica.apply([set('b', 4, 'own')], 4);
  expect([shown(), shown(other)]).toEqual(['a=draft?', 'b=draft?']);
  view.replica.apply([], 5);
  answer('c1', 5);
  expect([shown(), shown(other)]).toEqual(['a=own', 'b=own']);
});

it('a view whose join the engine refuses drops the draft after the wait, whether the refusal or the end of the wait comes first', () => {
  for (const isRefusedFirst of [true, false]) {
    const { clock, view, begin, answer, shown } = setUp();
    begin('c1', replace('a', 'draft'));
    view.enter('stale');
    answer('c1', 3);
    const steps = [() => view.refuse(), () => clock.pass(1_000)];
    if (!isRefusedFirst) steps.reverse();
    for (const step of steps) {
      expect(shown()).toBe('a=draft? b=b');
      step();
    }
    expect(shown()).toBe('a=a b=b');
    expect([view.replica.overlay, view.errors.size]).toEqual([undefined, 0]);
  }
});

it('the wait of a view of an item begins anew when the view is live again, because its missed changes come after that', () => {
  const { clock, view, begin, answer, shown } = setUp([['g', 'a']]);
  begin('c1', append('a', '!'));
  view.enter('stale');
  answer('c1', 4);
  clock.pass(60_000);
  view.enter('live');
  expect(shown()).toBe('a=a!?');
  view.replica.apply([set('a', 3, 'other')], 3);
  expect(shown()).toBe('a=a!?');
  clock.pass(1_000);
  expect(shown()).toBe('a=other');
  expect(view.replica.overlay).toBeUndefined();
});

it('a view of an item is over when the view of its group has reached the position', () => {
  const { view, views, begin, answer, shown } = setUp([['g', 'a'], ['g']]);
  const [, group] = views as [ModelView, ModelView];
  begin('c1', append('a', '!'));
  answer('c1', 4);
  view.replica.apply([set('a', 3, 'other')], 3);
  group.replica.apply([set('a', 3, 'other')], 3);
  expect(shown()).toBe('a=a!?');
  group.replica.apply([set('b', 4, 'B')], 4);
  expect(shown()).toBe('a=other');
});

it('a move between two groups is never in neither', async () => {
  const { view, views, begin, answer, shown } = setUp([['g'], ['h']]);
  const [, other] = views as [ModelView, ModelView];
  const groups = begin('c1', (draft) => {
    const from = draft.group('s', 'g');
    const item = from.get('a');
    if (item === undefined) return;
    from.delete('a');
    draft.group('s', 'h').set('a', item.data);
  });
  expect(groups).toEqual([GROUP, { stream: 's', group: 'h' }]);
  expect(other.notices).toBe(1);
  view.replica.apply([{ ...set('a', 3, {}), type: 'delete' }], 3);
  expect(shown()).toBe('b=b');
  expect(shown(other)).toBe('a=a?');
  answer('c1', 3, 'e1', ['g', 'h']);
  await Promise.resolve();
  expect(shown(other)).toBe('a=a?');
  other.replica.apply([{ ...set('a', 3, 'a'), type: 'create' }], 3);
  expect(shown(other)).toBe('a=a');
  expect([view.replica.overlay, other.replica.overlay]).toEqual([undefined, undefined]);
});

it('a change in one group runs a draft again that shows it in another, and notifies the views of both', async () => {
  const { view, views, begin, shown } = setUp([['g'], ['h']]);
  const [, other] = views as [ModelView, ModelView];
  begin('c1', (draft) => draft.group('s', 'h').set('copy', draft.group('s', 'g').get('a')?.data), false);
  expect(shown(other)).toBe('copy=a?');
  other.notices = 0;
  view.replica.apply([set('a', 3, 'A')], 3);
  await Promise.resolve();
  expect(other.notices).toBe(1);
  expect(shown(other)).toBe('copy=A?');
});

it('a view that opens later shows the draft, and a closed view ends the wait for it', () => {
  const { views, drafts, begin, answer, shown } = setUp([['g']]);
  const [first] = views as [ModelView];
  begin('c1', append('a', '!'));
  const item = new ModelView('g', 'a');
  views.push(item);
  drafts.opened(item as never);
  expect(shown(item)).toBe('');
  item.status = 'live';
  item.replica.replace([row('a', 1)], { epoch: 'e1', offset: 2 }, undefined);
  expect(shown(item)).toBe('a=a!?');
  item.enter('stale');
  answer('c1', 3);
  first.replica.apply([set('a', 3, 'a!')], 3);
  expect(shown(first)).toBe('a=a! b=b');
  expect(shown(item)).toBe('a=a!?');
  item.enter('closed');
  expect([first.replica.overlay, item.replica.overlay]).toEqual([undefined, undefined]);
});

it('a call that has ended stays while a later draft of the item is pending, for a view that opens with an old copy', () => {
  const { view, views, drafts, begin, answer, shown } = setUp();
  begin('c1', append('a', '1'));
  begin('c2', append('a', '2'));
  answer('c1', 3);
  view.enter('closed');
  const late = new ModelView('g', undefined);
  views.splice(0, 1, late);
  drafts.opened(late as never);
  late.replica.replace([row('a', 1)], { epoch: 'e1', offset: 2 }, 'restored');
  late.enter('stale');
  expect(shown(late)).toBe('a=a12?');
  late.status = 'live';
  late.replica.apply([set('a', 3, 'a1')], 3);
  late.statuses.emit('live');
  expect(shown(late)).toBe('a=a12?');
  late.replica.apply([set('a', 4, 'a12')], 4);
  answer('c2', 4);
  expect(shown(late)).toBe('a=a12');
  expect(late.replica.overlay).toBeUndefined();
});

it('arrays and items stay the same objects until they change', () => {
  const { view, begin, shown } = setUp();
  begin('c1', (draft) => draft.group('s', 'g').set('a', { text: 'new' }), false);
  const before = view.replica.shown.items;
  expect(view.replica.shown.items).toBe(before);
  view.replica.apply([], 3);
  expect(view.replica.shown.items).toBe(before);
  view.replica.apply([set('b', 4, 'B')], 4);
  const after = view.replica.shown.items;
  expect(after).not.toBe(before);
  expect(after[0]).toBe(before[0]);
  expect(shown()).toContain('b=B');
});

it('a draft that throws at first is not shown; one that throws later keeps what it did, and its error is reported', () => {
  const { view, drafts, errors, begin, shown } = setUp();
  expect(() => drafts.begin('c1', () => JSON.parse('{'))).toThrow(SyntaxError);
  expect(view.replica.overlay).toBeUndefined();
  begin(
    'c2',
    (draft) => {
      const group = draft.group<string>('s', 'g');
      group.set('c', 'half');
      if (group.get('b')?.data !== 'b') throw new Error('a draft fails');
    },
    false,
  );
  view.replica.apply([set('b', 3, 'B')], 3);
  expect(shown()).toBe('a=a b=B c=half?');
  view.replica.apply([set('b', 4, 'C')], 4);
  expect(errors.map(({ code, cause }) => [code, (cause as Error).message])).toEqual([['DRAFT_FAILED', 'a draft fails']]);
});

it('views are notified of a draft at the end of the turn, also within a burst of changes', async () => {
  const clock = new TestClock();
  let count = 0;
  const notifier = new CoalescedNotifier(clock, () => count++);
  const countAfter = async (...urgent: readonly boolean[]) => {
    for (const isUrgent of urgent) notifier.request(isUrgent);
    await Promise.resolve();
    return count;
  };
  expect(await countAfter(false, false)).toBe(1);
  expect(await countAfter(false, false)).toBe(1);
  expect(await countAfter(true, false, true)).toBe(2);
  expect(clock.pending).toBe(0);
  expect(await countAfter(false)).toBe(2);
  clock.pass(16);
  expect(count).toBe(3);
});

it('a draft must be a plain function of its draft', () => {
  const { drafts, shown } = setUp();
  let kept: Draft | undefined;
  drafts.begin('c1', (draft) => {
    kept = draft;
  });
  expect(() => kept?.group('s', 'g')).toThrow('only while its function runs');
  expect(() => drafts.begin('c2', (() => Promise.resolve()) as () => void)).toThrow('not return a promise');
  expect(() => drafts.begin('c3', () => drafts.begin('c4', () => {}))).toThrow('must not make a call');
  expect(shown()).toBe('a=a b=b');
});

it('a call without a view of its group is nothing', () => {
  const { view, drafts, begin, answer } = setUp([['h']]);
  expect(begin('c1', replace('a', 1))).toEqual([GROUP]);
  expect(view.replica.overlay).toBeUndefined();
  answer('c1', undefined);
  begin('c2', replace('a', 2));
  answer('c2', 9);
  const late = new ModelView('g', undefined);
  drafts.opened(late as never);
  expect(late.replica.overlay).toBeUndefined();
});

it('calls that ended while no view could follow are bounded', () => {
  const { view, begin, answer } = setUp();
  view.enter('stale');
  for (let at = 0; at < 250; at++) {
    begin(`c${at}`, replace(`n${at}`, at));
    answer(`c${at}`, 1_000 + at);
  }
  expect(view.replica.shown.size).toBe(102);
});
