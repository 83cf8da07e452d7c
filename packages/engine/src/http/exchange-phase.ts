import type { ChannelEnd } from '../core/channels/channel.js';

/** The phase of one exchange. Each phase but the last two has one timer, and `time_over` reports its end. */
export type ExchangePhase =
  /** The engine waits for a slot or for the body, or calls the condition of the route. The timer is the deadline of the response. */
  | { readonly kind: 'preparing' }
  /** A middleware function decides about the request. The timer is the deadline of the response. */
  | { readonly kind: 'middleware' }
  /**
   * The function works, and has neither returned nor sent a byte. `channelEnd` says how its response channel has ended, if it has. The
   * timer is the deadline of the response.
   */
  | { readonly kind: 'calling'; readonly channelEnd?: ChannelEnd }
  /**
   * The function has returned nothing, so the response can only come through the channel. During the grace the function has to open the
   * channel. After that, the timer is the deadline of the response.
   */
  | { readonly kind: 'awaiting_first_byte'; readonly timer: 'grace' | 'deadline' }
  /** Status and headers have been sent, and the body comes through the channel. */
  | { readonly kind: 'streaming' }
  | { readonly kind: 'ended' };

export type ExchangeEvent =
  | { readonly kind: 'middleware_began' }
  | { readonly kind: 'middleware_passed' }
  /** The engine has called the function of the route. */
  | { readonly kind: 'called' }
  /** The function has ended. `hasWriter` says whether it has opened the response channel. */
  | { readonly kind: 'returned'; readonly what: 'error' | 'value' | 'nothing'; readonly hasWriter: boolean }
  | { readonly kind: 'head_sent' }
  /**
   * The response channel has ended. `complete` says whether the body has the announced length, `controlled` whether the function has set
   * status or headers.
   */
  | { readonly kind: 'channel_ended'; readonly end: ChannelEnd; readonly complete: boolean; readonly controlled: boolean }
  | { readonly kind: 'time_over'; readonly hasWriter: boolean }
  /** The response has been sent, or the client has left. */
  | { readonly kind: 'ended' };

/** The work that a transition causes. */
export type ExchangeAction =
  | 'none'
  | 'send_value'
  | 'send_error'
  /** Send status and headers without a body. */
  | 'send_head'
  /** Send 204. */
  | 'send_nothing'
  /** End the streamed body. */
  | 'finish'
  /** Drop the connection, so that the client notices the missing rest. */
  | 'abort'
  /** The same, and log that the function failed in the middle of its response. */
  | 'abort_failed'
  | 'fail_middleware_timeout'
  | 'fail_timeout'
  | 'fail_stopping'
  /** Fail because the function dropped its response channel. */
  | 'fail_dropped'
  | 'start_grace'
  | 'start_deadline';

export interface Transition {
  readonly phase: ExchangePhase;
  readonly action: ExchangeAction;
}

/**
 * Returns the next phase of an exchange and the work that the event causes. A response that ends the exchange reports `ended` when it has
 * been sent, so only that event leads to `ended`.
 *
 * ```text
 * | Phase               | Event             | Condition                    | Next phase                    | Action                  |
 * | ------------------- | ----------------- | ---------------------------- | ----------------------------- | ----------------------- |
 * | preparing           | middleware_began  |                              | middleware                    |                         |
 * | preparing           | called            |                              | calling                       |                         |
 * | preparing           | time_over         |                              | preparing                     | fail_timeout            |
 * | middleware          | middleware_passed |                              | preparing                     |                         |
 * | middleware          | time_over         |                              | middleware                    | fail_middleware_timeout |
 * | calling             | head_sent         |                              | streaming                     |                         |
 * | calling             | channel_ended     | the engine stops             | calling                       | fail_stopping           |
 * | calling             | channel_ended     | headers set, writer not lost | calling                       | send_head               |
 * | calling             | channel_ended     | otherwise                    | calling, with the end         |                         |
 * | calling             | returned          | an error                     | calling                       | send_error              |
 * | calling             | returned          | a value                      | calling                       | send_value              |
 * | calling             | returned          | nothing, writer was lost     | calling                       | fail_dropped            |
 * | calling             | returned          | nothing, channel has ended   | calling                       | send_head               |
 * | calling             | returned          | nothing, has a writer        | awaiting_first_byte: deadline |                         |
 * | calling             | returned          | nothing, has no writer       | awaiting_first_byte: grace    | start_grace             |
 * | calling             | time_over         |                              | calling                       | fail_timeout            |
 * | awaiting_first_byte | head_sent         |                              | streaming                     |                         |
 * | awaiting_first_byte | channel_ended     | the engine stops             | awaiting_first_byte           | fail_stopping           |
 * | awaiting_first_byte | channel_ended     | writer lost                  | awaiting_first_byte           | fail_dropped            |
 * | awaiting_first_byte | channel_ended     | otherwise                    | awaiting_first_byte           | send_head               |
 * | awaiting_first_byte | time_over         | grace, has a writer          | awaiting_first_byte: deadline | start_deadline          |
 * | awaiting_first_byte | time_over         | grace, has no writer         | awaiting_first_byte: grace    | send_nothing            |
 * | awaiting_first_byte | time_over         | deadline                     | awaiting_first_byte: deadline | fail_timeout            |
 * | streaming           | returned          | an error                     | streaming                     | abort_failed            |
 * | streaming           | channel_ended     | the body is complete         | streaming                     | finish                  |
 * | streaming           | channel_ended     | otherwise                    | streaming                     | abort                   |
 * | every phase         | ended             |                              | ended                         |                         |
 * ```
 *
 * A function that has opened its channel at the end of the grace gets the time of a whole response. Any other event changes nothing.
 */
export function transition(phase: ExchangePhase, event: ExchangeEvent): Transition {
  const stay = (action: ExchangeAction): Transition => ({ phase, action });
  if (event.kind === 'ended') return { phase: { kind: 'ended' }, action: 'none' };
  switch (phase.kind) {
    case 'preparing':
      if (event.kind === 'middleware_began') return { phase: { kind: 'middleware' }, action: 'none' };
      if (event.kind === 'called') return { phase: { kind: 'calling' }, action: 'none' };
      return stay(event.kind === 'time_over' ? 'fail_timeout' : 'none');
    case 'middleware':
      if (event.kind === 'middleware_passed') return { phase: { kind: 'preparing' }, action: 'none' };
      return stay(event.kind === 'time_over' ? 'fail_middleware_timeout' : 'none');
    case 'calling':
      return fromCalling(phase, event);
    case 'awaiting_first_byte':
      return fromAwaiting(phase, event);
    case 'streaming':
      if (event.kind === 'channel_ended') return stay(event.end === 'done' && event.complete ? 'finish' : 'abort');
      return stay(event.kind === 'returned' && event.what === 'error' ? 'abort_failed' : 'none');
    case 'ended':
      return stay('none');
    default:
      return phase satisfies never;
  }
}

function fromCalling(phase: Extract<ExchangePhase, { kind: 'calling' }>, event: ExchangeEvent): Transition {
  const stay = (action: ExchangeAction): Transition => ({ phase, action });
  switch (event.kind) {
    case 'head_sent':
      return { phase: { kind: 'streaming' }, action: 'none' };
    case 'channel_ended':
      if (event.end === 'restart') return stay('fail_stopping');
      // A call ends with its worker, and a result that it has sent before still counts.
      if (event.controlled && event.end !== 'writerLost') return stay('send_head');
      return { phase: { kind: 'calling', channelEnd: event.end }, action: 'none' };
    case 'returned':
      if (event.what !== 'nothing') return stay(event.what === 'error' ? 'send_error' : 'send_value');
      if (phase.channelEnd !== undefined) return stay(phase.channelEnd === 'writerLost' ? 'fail_dropped' : 'send_head');
      return event.hasWriter
        ? { phase: { kind: 'awaiting_first_byte', timer: 'deadline' }, action: 'none' }
        : { phase: { kind: 'awaiting_first_byte', timer: 'grace' }, action: 'start_grace' };
    case 'time_over':
      return stay('fail_timeout');
    case 'middleware_began':
    case 'middleware_passed':
    case 'called':
    case 'ended':
      return stay('none');
    default:
      return event satisfies never;
  }
}

function fromAwaiting(phase: Extract<ExchangePhase, { kind: 'awaiting_first_byte' }>, event: ExchangeEvent): Transition {
  const stay = (action: ExchangeAction): Transition => ({ phase, action });
  switch (event.kind) {
    case 'head_sent':
      return { phase: { kind: 'streaming' }, action: 'none' };
    case 'channel_ended':
      if (event.end === 'restart') return stay('fail_stopping');
      return stay(event.end === 'writerLost' ? 'fail_dropped' : 'send_head');
    case 'time_over':
      if (phase.timer === 'deadline') return stay('fail_timeout');
      return event.hasWriter
        ? { phase: { kind: 'awaiting_first_byte', timer: 'deadline' }, action: 'start_deadline' }
        : stay('send_nothing');
    case 'middleware_began':
    case 'middleware_passed':
    case 'called':
    case 'returned':
    case 'ended':
      return stay('none');
    default:
      return event satisfies never;
  }
}
