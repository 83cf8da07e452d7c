import type { Position, Since } from '@rivulet/protocol';
import type { MessageFacts } from './wire-frames.js';

/**
 * The last position at which the state of a reader of one group was whole.
 *
 * A reader that is cut off right behind a frame resumes from this position, so the position moves only where the state is exact (rule
 * RV-53). These places are the `last` part of a `sync`, `caught_up`, and a live change. In a batch it is the frame whose offset is
 * `through`.
 */
export interface GroupState {
  /** `undefined` before the first whole state. */
  readonly position: Position | undefined;
  /** The changed items since a position come now, each once. They lead to a whole state only together. */
  readonly isChanging: boolean;
}

/** A state after a message, and whether it is whole there. */
export interface Advanced {
  readonly state: GroupState;
  readonly isWhole: boolean;
}

/** Returns the state of a reader that names a position, or none. */
export function stateAt(since: Since | undefined): GroupState {
  return { position: since === undefined || since === 'malformed' ? undefined : since, isChanging: false };
}

/**
 * Returns the state after one more message. `isItem`: the reader watches one item. It does not get the other changes of a batch, so each
 * change of its item leads to a whole state.
 */
export function advance(state: GroupState, facts: MessageFacts, isItem: boolean): Advanced {
  switch (facts.kind) {
    case 'sync':
      if (!facts.last) return { state, isWhole: false };
      return wholeAt(facts.epoch, facts.offset);
    case 'change': {
      const { position, isChanging } = state;
      if (isChanging || position === undefined || (facts.offset !== facts.through && !isItem)) return { state, isWhole: false };
      return wholeAt(position.epoch, facts.offset);
    }
    case 'control':
      return advanceByControl(state, facts.frame);
    case 'other':
      return { state, isWhole: false };
    default:
      return facts satisfies never;
  }
}

function advanceByControl(state: GroupState, frame: Extract<MessageFacts, { kind: 'control' }>['frame']): Advanced {
  if (frame.type === 'caught_up') return wholeAt(frame.data.epoch, frame.data.offset);
  if (frame.type !== 'resumed') return { state, isWhole: false };
  const { epoch, from, mode } = frame.data;
  return { state: { position: { epoch, offset: from }, isChanging: mode === 'changes' }, isWhole: false };
}

function wholeAt(epoch: string, offset: number): Advanced {
  return { state: { position: { epoch, offset }, isChanging: false }, isWhole: true };
}
