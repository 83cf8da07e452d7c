import { expect, it } from 'vitest';
import { type ExchangeAction, type ExchangeEvent, type ExchangePhase, transition } from '../../src/http/exchange-phase.js';

const PREPARING: ExchangePhase = { kind: 'preparing' };
const MIDDLEWARE: ExchangePhase = { kind: 'middleware' };
const CALLING: ExchangePhase = { kind: 'calling' };
const CALLING_DONE: ExchangePhase = { kind: 'calling', channelEnd: 'done' };
const CALLING_LOST: ExchangePhase = { kind: 'calling', channelEnd: 'writerLost' };
const IN_GRACE: ExchangePhase = { kind: 'awaiting_first_byte', timer: 'grace' };
const WAITING: ExchangePhase = { kind: 'awaiting_first_byte', timer: 'deadline' };
const STREAMING: ExchangePhase = { kind: 'streaming' };
const ENDED: ExchangePhase = { kind: 'ended' };
const PHASES = { PREPARING, MIDDLEWARE, CALLING, CALLING_DONE, CALLING_LOST, IN_GRACE, WAITING, STREAMING, ENDED };
type PhaseName = keyof typeof PHASES;

type Row = readonly [from: PhaseName, event: keyof typeof EVENTS, to: PhaseName, action: ExchangeAction];

const channel = { kind: 'channel_ended', end: 'done', complete: true, controlled: false } as const;
const EVENTS = {
  'middleware began': { kind: 'middleware_began' },
  'middleware passed': { kind: 'middleware_passed' },
  called: { kind: 'called' },
  'returned an error': { kind: 'returned', what: 'error', hasWriter: false },
  'returned a value': { kind: 'returned', what: 'value', hasWriter: false },
  'returned nothing': { kind: 'returned', what: 'nothing', hasWriter: false },
  'returned nothing, channel open': { kind: 'returned', what: 'nothing', hasWriter: true },
  'head sent': { kind: 'head_sent' },
  'channel done': channel,
  'channel done, headers set': { ...channel, controlled: true },
  'channel done, body too short': { ...channel, complete: false },
  'writer lost': { ...channel, end: 'writerLost' },
  'writer lost, headers set': { ...channel, end: 'writerLost', controlled: true },
  'engine stops': { ...channel, end: 'restart' },
  'time over': { kind: 'time_over', hasWriter: false },
  'time over, channel open': { kind: 'time_over', hasWriter: true },
  ended: { kind: 'ended' },
} as const satisfies Readonly<Record<string, ExchangeEvent>>;

/** Every transition that changes the phase or causes work. */
const TABLE: readonly Row[] = [
  ['PREPARING', 'middleware began', 'MIDDLEWARE', 'none'],
  ['PREPARING', 'called', 'CALLING', 'none'],
  ['PREPARING', 'time over', 'PREPARING', 'fail_timeout'],
  ['PREPARING', 'time over, channel open', 'PREPARING', 'fail_timeout'],
  ['MIDDLEWARE', 'middleware passed', 'PREPARING', 'none'],
  ['MIDDLEWARE', 'time over', 'MIDDLEWARE', 'fail_middleware_timeout'],
  ['MIDDLEWARE', 'time over, channel open', 'MIDDLEWARE', 'fail_middleware_timeout'],
  ...(['CALLING', 'CALLING_DONE', 'CALLING_LOST'] as const).flatMap((from): Row[] => [
    [from, 'returned an error', from, 'send_error'],
    [from, 'returned a value', from, 'send_value'],
    [from, 'head sent', 'STREAMING', 'none'],
    [from, 'channel done', 'CALLING_DONE', 'none'],
    [from, 'channel done, headers set', from, 'send_head'],
    [from, 'channel done, body too short', 'CALLING_DONE', 'none'],
    [from, 'writer lost', 'CALLING_LOST', 'none'],
    [from, 'writer lost, headers set', 'CALLING_LOST', 'none'],
    [from, 'engine stops', from, 'fail_stopping'],
    [from, 'time over', from, 'fail_timeout'],
    [from, 'time over, channel open', from, 'fail_timeout'],
  ]),
  ['CALLING', 'returned nothing', 'IN_GRACE', 'start_grace'],
  ['CALLING', 'returned nothing, channel open', 'WAITING', 'none'],
  ['CALLING_DONE', 'returned nothing', 'CALLING_DONE', 'send_head'],
  ['CALLING_DONE', 'returned nothing, channel open', 'CALLING_DONE', 'send_head'],
  ['CALLING_LOST', 'returned nothing', 'CALLING_LOST', 'fail_dropped'],
  ['CALLING_LOST', 'returned nothing, channel open', 'CALLING_LOST', 'fail_dropped'],
  ...(['IN_GRACE', 'WAITING'] as const).flatMap((from): Row[] => [
    [from, 'head sent', 'STREAMING', 'none'],
    [from, 'channel done', from, 'send_head'],
    [from, 'channel done, headers set', from, 'send_head'],
    [from, 'channel done, body too short', from, 'send_head'],
    [from, 'writer lost', from, 'fail_dropped'],
    [from, 'writer lost, headers set', from, 'fail_dropped'],
    [from, 'engine stops', from, 'fail_stopping'],
  ]),
  ['IN_GRACE', 'time over', 'IN_GRACE', 'send_nothing'],
  ['IN_GRACE', 'time over, channel open', 'WAITING', 'start_deadline'],
  ['WAITING', 'time over', 'WAITING', 'fail_timeout'],
  ['WAITING', 'time over, channel open', 'WAITING', 'fail_timeout'],
  ['STREAMING', 'returned an error', 'STREAMING', 'abort_failed'],
  ['STREAMING', 'channel done', 'STREAMING', 'finish'],
  ['STREAMING', 'channel done, headers set', 'STREAMING', 'finish'],
  ['STREAMING', 'channel done, body too short', 'STREAMING', 'abort'],
  ['STREAMING', 'writer lost', 'STREAMING', 'abort'],
  ['STREAMING', 'writer lost, headers set', 'STREAMING', 'abort'],
  ['STREAMING', 'engine stops', 'STREAMING', 'abort'],
];

it.each(TABLE)('%s, %s → %s, %s', (from, event, to, action) => {
  expect(transition(PHASES[from], EVENTS[event])).toEqual({ phase: PHASES[to], action });
});

it('every other event changes nothing, and ends what has not ended', () => {
  for (const from of Object.keys(PHASES) as PhaseName[]) {
    expect(transition(PHASES[from], EVENTS.ended)).toEqual({ phase: ENDED, action: 'none' });
    for (const event of Object.keys(EVENTS) as (keyof typeof EVENTS)[]) {
      if (event === 'ended' || TABLE.some(([phase, name]) => phase === from && name === event)) continue;
      expect(transition(PHASES[from], EVENTS[event]), `${from}, ${event}`).toEqual({ phase: PHASES[from], action: 'none' });
    }
  }
});
