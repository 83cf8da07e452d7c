import { formatPosition, type Position, parsePosition, percentDecode, percentEncode, type Since } from '@rivulet/protocol';
import { advance, type GroupState, stateAt } from '../../frames/group-state.js';
import { controlOf, factsOf, isOfGroup, type MessageFacts } from '../../frames/wire-frames.js';
import type { ReadRef } from '../requests/read-target.js';

/** The groups of an event stream, in the order of the URL. Streams of the same groups share one layout. */
export interface EventLayout {
  /** Names the layout, and nothing else has this text. */
  readonly key: string;
  readonly groups: readonly LayoutGroup[];
  /** The id of an event is a list of positions, because the URL may name several groups. */
  readonly isList: boolean;
}

export interface LayoutGroup extends ReadRef {
  /** Subscription id in control frames: the path of the group. */
  readonly id: string;
  /** Whether its events have ids. A stream that a worker stores has no positions. */
  readonly hasPositions: boolean;
}

/** The last whole states of the groups of a layout. */
export type LayoutState = readonly GroupState[];

const ID_HEAD = Buffer.from(',"id":');
const TIMESTAMP = '{"type":"stream","timestamp":'.length;
const PRINTABLE = /^[\u0021-\u007e]+$/;

/** Returns the index of the group that a message is for; -1 when the message is for none. */
export function groupIndexOf({ groups }: EventLayout, payload: Buffer, facts: MessageFacts): number {
  if (facts.kind === 'control') {
    const { data } = facts.frame;
    return 'subscriptionId' in data ? groups.findIndex(({ id }) => id === data.subscriptionId) : -1;
  }
  if (groups.length === 1) return 0;
  // A name has no such sequence, because quotes within names are escaped.
  const begin = payload.indexOf(44, TIMESTAMP);
  const names = payload.toString('utf8', begin, payload.indexOf(ID_HEAD, begin));
  return groups.findIndex(({ stream, group }) => names === `,"streamName":${JSON.stringify(stream)},"groupId":${JSON.stringify(group)}`);
}

/** Reads one message. `tail`: its end; `payload`: its first frame. */
export function readMessage(payload: Buffer, tail: string): MessageFacts {
  return isOfGroup(payload) ? factsOf(tail) : controlOf(payload);
}

/** Returns the states after a message of the group with this index, and whether this group is whole there. */
export function advanceLayout(
  layout: EventLayout,
  states: LayoutState,
  index: number,
  facts: MessageFacts,
): { readonly states: LayoutState; readonly isWhole: boolean } {
  const group = layout.groups[index];
  const before = states[index];
  if (group === undefined || before === undefined) return { states, isWhole: false };
  const { state, isWhole } = advance(before, facts, group.item !== undefined);
  if (state === before) return { states, isWhole };
  return { states: states.with(index, state), isWhole: isWhole && group.hasPositions };
}

/** Returns the id of an event: the positions at which the groups are whole. `undefined` when no header could carry it. */
export function eventIdOf(layout: EventLayout, states: LayoutState): string | undefined {
  const { groups, isList } = layout;
  const [only] = states;
  if (!isList) {
    const id = only?.position === undefined ? '' : formatPosition(only.position);
    return PRINTABLE.test(id) ? id : undefined;
  }
  return states.map(({ position }, index) => (groups[index]?.hasPositions === true ? listed(position) : '')).join(',');
}

/** Reads the id of the last event that a client has. A malformed id makes every position malformed. */
export function readEventId({ groups, isList }: Pick<EventLayout, 'groups' | 'isList'>, text: string): readonly (Since | undefined)[] {
  if (!isList) return [parsePosition(text) ?? 'malformed'];
  const parts = text.split(',');
  return groups.map((_group, index): Since | undefined => {
    if (parts.length !== groups.length) return 'malformed';
    const part = parts[index] as string;
    return part === '' ? undefined : (parsePosition(percentDecode(part) ?? '') ?? 'malformed');
  });
}

/** Returns the states of a client with these positions. */
export function statesAt(positions: readonly (Since | undefined)[]): LayoutState {
  return positions.map(stateAt);
}

function listed(position: Position | undefined): string {
  if (position === undefined) return '';
  return formatPosition({ epoch: position.epoch.replace(/[^\w.-]/gu, percentEncode), offset: position.offset });
}
