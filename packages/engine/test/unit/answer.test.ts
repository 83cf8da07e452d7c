import { describe, expect, it } from 'vitest';
import { Answer, type AnswerState } from '../../src/stream/fanout/answer.js';
import { GroupFanout } from '../../src/stream/fanout/group-fanout.js';
import { Subscription } from '../../src/stream/fanout/subscription.js';
import { GROUP, REF, Socket } from '../hub-world.js';

const OLD = 1;
const NEW = 2;
const cause = { reason: 'floor', gapAfter: 50, history: OLD } as const;
const since = { epoch: 'e', offset: 40 };

const STATES: readonly AnswerState[] = [
  { kind: 'waiting' },
  { kind: 'resuming', since },
  { kind: 'syncing', ...cause },
  { kind: 'broken', ...cause },
  { kind: 'done' },
];

const EVENTS = {
  refuse: (answer: Answer<string>) => answer.refuse({ reason: 'ahead', gapAfter: undefined, history: OLD }),
  breakOff: (answer: Answer<string>) => answer.breakOff(60, NEW),
  absorb: (answer: Answer<string>) => answer.absorb(30),
  restart: (answer: Answer<string>) => answer.restart(NEW, 'epoch'),
  end: (answer: Answer<string>) => answer.end(),
};

/** The state after each event; absent when the event changes nothing. */
const TABLE: Record<AnswerState['kind'], Partial<Record<keyof typeof EVENTS, AnswerState>>> = {
  waiting: { breakOff: { kind: 'broken', reason: 'restarted', gapAfter: 60, history: NEW }, end: { kind: 'done' } },
  resuming: {
    refuse: { kind: 'syncing', reason: 'ahead', gapAfter: undefined, history: OLD },
    breakOff: { kind: 'broken', reason: 'restarted', gapAfter: 60, history: NEW },
    end: { kind: 'done' },
  },
  syncing: {
    breakOff: { kind: 'broken', reason: 'floor', gapAfter: 60, history: OLD },
    absorb: { kind: 'broken', reason: 'floor', gapAfter: 30, history: OLD },
    restart: { kind: 'syncing', reason: 'epoch', gapAfter: undefined, history: NEW },
    end: { kind: 'done' },
  },
  broken: {
    breakOff: { kind: 'broken', reason: 'floor', gapAfter: 60, history: OLD },
    absorb: { kind: 'broken', reason: 'floor', gapAfter: 30, history: OLD },
    restart: { kind: 'broken', reason: 'epoch', gapAfter: undefined, history: NEW },
    end: { kind: 'done' },
  },
  done: {},
};

describe.each(STATES)('an answer that is $kind', (state) => {
  it.each(Object.keys(EVENTS) as (keyof typeof EVENTS)[])('takes the event %s as the table says', (event) => {
    const answer = new Answer('i', state, 'member');
    EVENTS[event](answer);
    expect(answer.state).toEqual(TABLE[state.kind][event] ?? state);
    expect(answer.membership).toBe(event === 'breakOff' && state.kind !== 'done' ? undefined : 'member');
  });
});

it('a restart into the same history keeps reason and gap', () => {
  const answer = new Answer('i', { kind: 'syncing', ...cause });
  answer.restart(OLD, 'epoch');
  expect(answer.cause).toMatchObject(cause);
});

describe('a subscription whose answer breaks off', () => {
  const subscription = () =>
    new Subscription(Object.assign(new Socket(), { positions: true }), new GroupFanout<Subscription>(REF, () => Promise.resolve()));

  it('sends nothing for the target before a sync, which is for all memberships of the target', () => {
    const broken = subscription();
    const join = broken.request({ ...GROUP, since });
    const answer = broken.nextAnswer;
    if (answer === undefined) throw new Error('no answer is owed');
    broken.breakOff(answer, 40);
    expect([join.active, broken.wantsAll, broken.holdsBack, broken.receivers(answer)]).toEqual([true, false, true, [join]]);
    expect(broken.nextAnswer).toBe(answer);
    broken.answered(answer);
    expect([answer.state.kind, broken.wantsAll, broken.holdsBack, broken.nextAnswer]).toEqual(['done', true, false, undefined]);
  });

  it('owes one sync when one is owed for the same target already, and that states the larger gap', () => {
    const broken = subscription();
    broken.request(GROUP);
    if (broken.nextAnswer !== undefined) broken.answered(broken.nextAnswer);
    broken.noteShown(60, broken.history);
    broken.request({ ...GROUP, subscriptionId: 's2', since });
    broken.resync('floor');
    const answer = broken.nextAnswer;
    if (answer === undefined) throw new Error('no answer is owed');
    broken.breakOff(answer, 40);
    expect(broken.nextAnswer?.state).toEqual({ kind: 'broken', reason: 'floor', gapAfter: 40, history: broken.history });
    expect(broken.members).toHaveLength(2);
  });

  it('forgets the answer of a client that has left', () => {
    const broken = subscription();
    const join = broken.request({ ...GROUP, since });
    const answer = broken.nextAnswer;
    if (answer === undefined) throw new Error('no answer is owed');
    broken.remove(join);
    broken.breakOff(answer, 40);
    broken.answered(answer);
    expect([broken.empty, join.active]).toEqual([true, false]);
  });
});
