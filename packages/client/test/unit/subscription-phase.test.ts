import { decodeStreamFrame, type StreamServerMessage } from '@rivulet/protocol';
import { describe, expect, it, test } from 'vitest';
import { nextStep } from '../../src/subscription/frame-sequence.js';
import { JoinRetry } from '../../src/subscription/join-retry.js';
import { Subscription } from '../../src/subscription/subscription.js';
import type { Phase, Status } from '../../src/subscription/subscription-phase.js';
import { caughtUp, create, failure, gap, itemSync, plain, resumed, stale, sync, syncing, unauthorized, update } from '../frames.js';
import { TestClock } from '../test-clock.js';

/** A subscription without a client: the test sends the events, and collects what the subscription sends. */
class Bench {
  readonly clock = new TestClock();
  readonly sent: { readonly type: string; readonly since: string | undefined }[] = [];
  readonly statuses: Status[] = [];
  readonly counters = { holes: 0, duplicates: 0 };
  readonly subscription: Subscription;

  constructor(item?: string) {
    const { clock, counters } = this;
    this.subscription = new Subscription(
      's1',
      { stream: 'chat', group: 'r1', item },
      {
        clock,
        counters,
        random: () => 0.5,
        send: (text) => {
          const { type, data } = JSON.parse(text) as { type: string; data: { since?: string } };
          this.sent.push({ type, since: data.since });
        },
        report: () => {},
      },
    );
    this.subscription.statuses.add((status) => this.statuses.push(status));
  }

  receive(...frames: readonly object[]): void {
    for (const frame of frames) this.#route(messageOf(frame));
  }

  #route(message: StreamServerMessage): void {
    const { subscription } = this;
    switch (message.type) {
      case 'create':
      case 'update':
      case 'delete':
      case 'event':
        return subscription.onFrame(message);
      case 'group_sync':
        return subscription.onGroupSync(message);
      case 'item_sync':
        return subscription.onItemSync(message);
      case 'syncing':
        return subscription.onSyncing();
      case 'stale':
        return subscription.onStale();
      case 'resumed':
        return subscription.onResumed(message);
      case 'caught_up':
        return subscription.onCaughtUp(message.epoch, message.offset);
      case 'gap':
        return subscription.onGap(message);
      case 'error':
        return subscription.onError(message);
      case 'unauthorized':
        return subscription.onUnauthorized();
      case 'refreshed':
      case 'expiring':
      case 'result':
      case 'call_error':
        throw new Error(`no subscription gets ${message.type}`);
    }
  }
}

function messageOf(frame: object): StreamServerMessage {
  const decoded = decodeStreamFrame(JSON.stringify(frame));
  if (decoded.kind !== 'message') throw new Error(`the frame is ${decoded.kind}`);
  return decoded.message;
}

type Step = (bench: Bench) => void;
const receive =
  (...frames: readonly object[]): Step =>
  (bench) =>
    bench.receive(...frames);
const open: Step = ({ subscription }) => subscription.onOpen();
const lose: Step = ({ subscription }) => subscription.onLost();
const release: Step = ({ subscription }) => subscription.release();
const close: Step = ({ subscription }) => subscription.close();
const refresh: Step = ({ subscription }) => subscription.onRefreshed();
const place: Step = ({ subscription }) => subscription.onPlaceFree();
const pass =
  (ms: number): Step =>
  ({ clock }) =>
    clock.pass(ms);

const ROWS = [['m1', 'one', 1]] as const;
const wholeSync = [syncing('s1'), sync(4, ROWS)];
const firstPart = [syncing('s1'), sync(9, ROWS, { part: 0 })];

/** The steps that lead to each phase. The phases after `joining` know the items up to offset 4. */
const TO: Readonly<Record<Phase['kind'], readonly Step[]>> = {
  restoring: [],
  offline: [release],
  joining: [release, open],
  waiting: [release, open, receive(failure('FORBIDDEN', 's1'))],
  live: [release, open, receive(...wholeSync)],
  tail: [release, open, receive(...wholeSync), receive(resumed('s1', 'tail', 4, 6))],
  changes: [release, open, receive(...wholeSync), receive(resumed('s1', 'changes', 4, 6))],
  syncing: [release, open, receive(...wholeSync), receive(...firstPart)],
  closed: [release, close],
};

function benchIn(phase: Phase['kind'], ...more: readonly Step[]): Bench {
  const bench = new Bench();
  for (const step of TO[phase]) step(bench);
  expect(bench.subscription.phase).toBe(phase);
  for (const step of more) step(bench);
  return bench;
}

describe('the transitions of a subscription', () => {
  test.each<[Phase['kind'], string, Step, Phase['kind'], Status]>([
    ['restoring', 'the connection opens', open, 'restoring', 'connecting'],
    ['restoring', 'the copy is read', release, 'offline', 'connecting'],
    ['restoring', 'it is closed', close, 'closed', 'closed'],
    ['offline', 'the connection opens', open, 'joining', 'connecting'],
    ['offline', 'it is closed', close, 'closed', 'closed'],
    ['joining', 'the connection opens, again', open, 'joining', 'connecting'],
    ['joining', 'the connection is lost', lose, 'offline', 'connecting'],
    ['joining', 'a sync comes for another join', receive(sync(4, ROWS)), 'joining', 'connecting'],
    ['joining', 'a whole sync comes', receive(...wholeSync), 'live', 'live'],
    ['joining', 'the first part of a sync comes', receive(...firstPart), 'syncing', 'connecting'],
    ['joining', 'a plain sync comes', receive(plain(sync(4, ROWS))), 'live', 'live'],
    ['joining', 'a change comes', receive(create(5, 'm2', 'two')), 'joining', 'connecting'],
    ['joining', 'stale comes', receive(stale('s1')), 'joining', 'connecting'],
    ['joining', 'resumed comes without a known position', receive(resumed('s1', 'tail', 4, 6)), 'joining', 'connecting'],
    ['joining', 'the engine refuses', receive(failure('FORBIDDEN', 's1')), 'waiting', 'connecting'],
    ['joining', 'unauthorized comes', receive(unauthorized()), 'waiting', 'connecting'],
    ['joining', 'the name can not be', receive(failure('INVALID_ID', 's1')), 'closed', 'closed'],
    ['joining', 'another error comes', receive(failure('RATE_LIMITED', 's1')), 'joining', 'connecting'],
    ['joining', 'no answer comes in 60 s', pass(60_000), 'joining', 'connecting'],
    ['waiting', 'the time is over', pass(2_000), 'joining', 'connecting'],
    ['waiting', 'the token is refreshed', refresh, 'joining', 'connecting'],
    ['waiting', 'a place is free', place, 'waiting', 'connecting'],
    ['waiting', 'the connection is lost', lose, 'offline', 'connecting'],
    ['waiting', 'a late sync comes', receive(...wholeSync), 'live', 'live'],
    ['waiting', 'the engine refuses, again', receive(failure('FORBIDDEN', 's1')), 'waiting', 'connecting'],
    ['live', 'the connection is lost', lose, 'offline', 'stale'],
    ['live', 'the next change comes', receive(create(5, 'm2', 'two')), 'live', 'live'],
    // The first gap in a row joins again at once.
    ['live', 'a change is missing', receive(create(6, 'm2', 'two')), 'joining', 'stale'],
    ['live', 'stale comes', receive(stale('s1')), 'live', 'stale'],
    ['live', 'the engine resumes with frames', receive(resumed('s1', 'tail', 4, 6)), 'tail', 'stale'],
    ['live', 'the engine resumes with nothing', receive(resumed('s1', 'tail', 4, 4)), 'live', 'live'],
    ['live', 'the engine resumes with changes', receive(resumed('s1', 'changes', 4, 6)), 'changes', 'stale'],
    ['live', 'the engine resumes another epoch', receive(resumed('s1', 'tail', 4, 6, 'e2')), 'joining', 'stale'],
    ['live', 'a new sync begins', receive(...firstPart), 'syncing', 'stale'],
    ['live', 'caught_up comes', receive(caughtUp('s1', 4)), 'live', 'live'],
    ['live', 'it is closed', close, 'closed', 'closed'],
    ['tail', 'the last missed frame comes', receive(create(5, 'm2', 'two'), update(6, 'm2', 'TWO')), 'live', 'live'],
    ['tail', 'a frame comes', receive(create(5, 'm2', 'two')), 'tail', 'stale'],
    ['tail', 'a frame is missing', receive(create(6, 'm2', 'two')), 'joining', 'stale'],
    ['tail', 'the connection is lost', lose, 'offline', 'stale'],
    ['changes', 'an item comes', receive(create(5, 'm2', 'two', { created: 5 })), 'changes', 'stale'],
    ['changes', 'an event is lost', receive(gap('s1', 4, 5)), 'changes', 'stale'],
    ['changes', 'caught_up comes', receive(caughtUp('s1', 6)), 'live', 'live'],
    ['changes', 'caught_up comes for another offset', receive(caughtUp('s1', 7)), 'joining', 'stale'],
    ['changes', 'a later change comes', receive(create(7, 'm2', 'two')), 'joining', 'stale'],
    ['changes', 'the connection is lost', lose, 'offline', 'stale'],
    ['syncing', 'the next part comes', receive(sync(9, [], { part: 1 })), 'syncing', 'stale'],
    ['syncing', 'the last part comes', receive(sync(9, [], { part: 1, last: true })), 'live', 'live'],
    ['syncing', 'a part is missing', receive(sync(9, [], { part: 2 })), 'joining', 'stale'],
    ['syncing', 'a later change comes', receive(create(10, 'm2', 'two')), 'joining', 'stale'],
    ['syncing', 'stale comes', receive(stale('s1')), 'syncing', 'stale'],
    ['syncing', 'the connection is lost', lose, 'offline', 'stale'],
    ['closed', 'the connection opens', open, 'closed', 'closed'],
    ['closed', 'the connection is lost', lose, 'closed', 'closed'],
    ['closed', 'a sync comes', receive(...wholeSync), 'closed', 'closed'],
    ['closed', 'it is closed, again', close, 'closed', 'closed'],
  ])('%s: %s', (from, _event, step, to, status) => {
    const bench = benchIn(from, step);
    expect([bench.subscription.phase, bench.subscription.status]).toEqual([to, status]);
  });
});

describe('what belongs to a phase', () => {
  it('joins when the copy is read, at the end of the turn', () => {
    expect(benchIn('restoring', open, release, open).sent).toEqual([{ type: 'join', since: undefined }]);
    expect(benchIn('restoring', open, lose, release).sent).toEqual([]);
  });

  it('shows a restored copy as stale, also without a connection', () => {
    const bench = new Bench();
    bench.subscription.replica.replace([], { epoch: 'e1', offset: 3 }, 'restored');
    bench.subscription.release();
    expect(bench.statuses).toEqual(['stale']);
    bench.subscription.onOpen();
    expect(bench.sent).toEqual([{ type: 'join', since: 'e1:3' }]);
  });

  it('leaves on the wire only after a join', () => {
    for (const phase of ['joining', 'waiting', 'tail', 'changes', 'syncing', 'live'] as const)
      expect(benchIn(phase, close).sent.at(-1)?.type).toBe('leave');
    for (const phase of ['restoring', 'offline', 'closed'] as const) expect(benchIn(phase, close).sent).toEqual([]);
  });

  it('takes a free place only when it was refused for want of one', () => {
    const turnedAway = benchIn('joining', receive(failure('TOO_MANY_SUBSCRIPTIONS', 's1')));
    expect([turnedAway.subscription.phase, turnedAway.subscription.isTurnedAway]).toEqual(['waiting', true]);
    turnedAway.subscription.onPlaceFree();
    expect(turnedAway.subscription.phase).toBe('joining');
    expect(benchIn('waiting').subscription.isTurnedAway).toBe(false);
  });

  it('RV-9 reports lost events with the sync that they come with, and not when the connection is lost before', () => {
    const bench = benchIn('live');
    const reports: unknown[] = [];
    bench.subscription.replica.resets.add(({ position }) => reports.push(position?.offset));
    bench.subscription.replica.gaps.add(({ after, through }) => reports.push([after, through]));
    const announced = [syncing('s1'), gap('s1', 4, 9)];
    bench.receive(...announced);
    lose(bench);
    open(bench);
    expect([bench.sent.at(-1), reports]).toEqual([{ type: 'join', since: 'e1:4' }, []]);
    bench.receive(...announced, sync(9, ROWS, { part: 0 }));
    expect(reports).toEqual([]);
    bench.receive(sync(9, [], { part: 1, last: true }));
    expect(reports).toEqual([9, [4, 9]]);
    bench.receive(gap('s1', 9, 10));
    expect(reports.at(-1)).toEqual([9, 10]);
  });

  it('stays outdated until the engine says otherwise', () => {
    const bench = benchIn('live', receive(stale('s1'), create(5, 'm2', 'two')));
    expect([bench.subscription.status, bench.subscription.replica.position?.offset]).toEqual(['stale', 5]);
    bench.receive(caughtUp('s1', 5));
    expect(bench.statuses).toEqual(['live', 'stale', 'live']);
  });

  it('waits before it joins again at the second gap in a row', () => {
    const missing = receive(create(6, 'm2', 'two'));
    const bench = benchIn('live', missing, receive(resumed('s1', 'tail', 4, 6)), missing);
    expect([bench.subscription.phase, bench.counters.holes, bench.sent.length]).toEqual(['waiting', 2, 2]);
    bench.clock.pass(1_000);
    expect([bench.subscription.phase, bench.sent.at(-1)]).toEqual(['joining', { type: 'join', since: 'e1:4' }]);
  });

  it('joins again when it caught up with what it does not have', () => {
    expect(benchIn('live', receive(stale('s1'), caughtUp('s1', 7))).subscription.phase).toBe('joining');
  });

  it('of an item takes the offset of caught_up as its position, because it has every change of the item up to it', () => {
    const bench = new Bench('m1');
    const { subscription } = bench;
    subscription.release();
    subscription.onOpen();
    bench.receive(syncing('s1'), itemSync(4, 'm1', 'one', 1));
    bench.receive(caughtUp('s1', 7), caughtUp('s1', 6), caughtUp('s1', 9, 'e2'));
    expect([subscription.replica.position, bench.counters.holes]).toEqual([{ epoch: 'e1', offset: 7 }, 0]);
    bench.receive(stale('s1'), caughtUp('s1', 8));
    expect([subscription.replica.position, bench.statuses]).toEqual([{ epoch: 'e1', offset: 8 }, ['live', 'stale', 'live']]);
  });

  it('forgets an open batch when the connection is lost', () => {
    const bench = benchIn('live', receive(create(5, 'm2', 'two', { through: 6 })), lose, open);
    expect(bench.sent.at(-1)).toEqual({ type: 'join', since: 'e1:4' });
  });

  it('forgets with the phase that a sync was announced', () => {
    const bench = benchIn('live', receive(syncing('s1')), lose, open, receive(sync(9, ROWS)));
    expect(bench.subscription.phase).toBe('joining');
  });

  it('sends nothing after a listener of an error has closed it', () => {
    const bench = benchIn('live');
    bench.subscription.errors.add(() => bench.subscription.close());
    bench.receive(create(9, 'm2', 'two'));
    expect([bench.subscription.phase, bench.sent.at(-1)?.type, bench.clock.pending]).toEqual(['closed', 'leave', 0]);
  });

  it('does not go on after a listener of a step has closed it', () => {
    const bench = benchIn('joining');
    bench.subscription.replica.resets.add(() => bench.subscription.close());
    bench.receive(...wholeSync);
    expect([bench.subscription.phase, bench.statuses]).toEqual(['closed', ['closed']]);
  });
});

describe('the sequence of frames', () => {
  const frame = (offset: number, through?: number) => {
    const message = messageOf(create(offset, 'm1', 'one', { through }));
    if (message.type !== 'create') throw new Error('no change');
    return message;
  };

  it('holds a batch until its last frame is there', () => {
    const batch: ReturnType<typeof frame>[] = [];
    expect(nextStep(batch, 4, frame(5, 6), 5)).toBe('incomplete');
    expect(nextStep(batch, 4, frame(5, 6), 5)).toBe('duplicate');
    expect(nextStep(batch, 4, frame(6, 6), 6)).toEqual([frame(5, 6), frame(6, 6)]);
    expect(batch).toEqual([]);
  });

  it('finds what is missing', () => {
    expect(nextStep([], 4, frame(6), 6)).toEqual({ gap: 'offset 6 came after 4' });
    expect(nextStep([frame(5, 7)], 4, frame(6), 6)).toEqual({ gap: 'offset 6 came after 5' });
  });
});

describe('the retry of a join', () => {
  it('joins at once, then later each time, and later still when it was refused', () => {
    const retry = new JoinRetry();
    expect([1, 2, 3].map(() => retry.delayMs(false, 0.5))).toEqual([0, 1_000, 2_000]);
    retry.reset();
    expect([1, 2, 3].map(() => retry.delayMs(true, 0.5))).toEqual([1_000, 2_000, 4_000]);
  });

  it('starts anew at the third gap in a row', () => {
    const retry = new JoinRetry();
    for (const liveMs of [0, 0]) retry.countGap(liveMs);
    expect(retry.startsAnew).toBe(false);
    retry.countGap(6_000);
    expect(retry.startsAnew).toBe(false);
    for (const liveMs of [0, 5_000]) retry.countGap(liveMs);
    expect(retry.startsAnew).toBe(true);
  });
});
