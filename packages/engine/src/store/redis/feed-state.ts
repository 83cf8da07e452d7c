/** The position of a report: everything up to offset `at` of this epoch was reported. The feed moves it forward with each step. */
export interface FeedPlace {
  epoch: string;
  at: number;
}

/** The life of a group feed. */
export type FeedState =
  /** The position of the group is not read yet. Steps of others wait for it; local steps are reported at once. */
  | { readonly kind: 'opening' }
  /** The report begins with the next step, whichever that is. */
  | { readonly kind: 'awaiting-step' }
  /** All steps are reported in order. */
  | { readonly kind: 'live'; readonly place: FeedPlace }
  /** The server was lost, and the steps missed since are not all reported. Steps that still arrive are reported as before. */
  | { readonly kind: 'unavailable'; readonly place: FeedPlace }
  /** Nothing is reported any more. */
  | { readonly kind: 'closed' };

export type FeedEvent =
  /** Nobody watches the group: its history before now does not matter. */
  | { readonly kind: 'await-step' }
  /** The position after which the report begins is known. */
  | { readonly kind: 'begin'; readonly place: FeedPlace }
  /** The connection to the server was lost. */
  | { readonly kind: 'lose' }
  /** The server is back, and every step missed since was reported, or reported as a break. */
  | { readonly kind: 'resume' }
  | { readonly kind: 'close' };

type Row = Readonly<Record<FeedEvent['kind'], FeedState['kind']>>;

/**
 * The next state for each state and event. A feed that has not begun promises nothing, so it ignores the loss of its server. A feed that
 * has begun keeps its place: a second `begin` changes nothing.
 */
export const TRANSITIONS: Readonly<Record<FeedState['kind'], Row>> = {
  opening: { 'await-step': 'awaiting-step', begin: 'live', lose: 'opening', resume: 'opening', close: 'closed' },
  'awaiting-step': { 'await-step': 'awaiting-step', begin: 'live', lose: 'awaiting-step', resume: 'awaiting-step', close: 'closed' },
  live: { 'await-step': 'live', begin: 'live', lose: 'unavailable', resume: 'live', close: 'closed' },
  unavailable: { 'await-step': 'unavailable', begin: 'unavailable', lose: 'unavailable', resume: 'live', close: 'closed' },
  closed: { 'await-step': 'closed', begin: 'closed', lose: 'closed', resume: 'closed', close: 'closed' },
};

/** Returns the state after the event; the same object when the event changes nothing. */
export function nextState(state: FeedState, event: FeedEvent): FeedState {
  const kind = TRANSITIONS[state.kind][event.kind];
  if (kind === state.kind) return state;
  if (kind !== 'live' && kind !== 'unavailable') return { kind };
  const place = placeOf(state) ?? (event.kind === 'begin' ? event.place : undefined);
  if (place === undefined) throw new TypeError(`a feed that is ${state.kind} has no place`);
  return { kind, place };
}

/** Returns the place of a feed that has begun; otherwise `undefined`. */
export function placeOf(state: FeedState): FeedPlace | undefined {
  return state.kind === 'live' || state.kind === 'unavailable' ? state.place : undefined;
}
