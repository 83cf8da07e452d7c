import { createContext, type PointerEvent, useContext } from 'react';
import type { ShownCard } from './types.js';
import type { BoardActions, Writing } from './use-board.js';
import type { Drag } from './use-drag.js';
import type { Writer, WritingReport } from './use-people.js';

/** Everything that columns and cards share. */
export interface Board {
  readonly cards: readonly ShownCard[];
  readonly isLoading: boolean;
  readonly isOnline: boolean;
  readonly actions: BoardActions;
  /** The other person who writes on a card, by the id of the card. */
  readonly writers: ReadonlyMap<string, Writer>;
  readonly report: WritingReport;
  /** The editor that is open. */
  readonly writing: Writing | undefined;
  readonly setWriting: (writing: Writing | undefined) => void;
  readonly drag: Drag | undefined;
  readonly startDrag: (event: PointerEvent<HTMLElement>, card: string) => void;
}

export const BoardContext = createContext<Board | undefined>(undefined);

export function useBoardContext(): Board {
  const board = useContext(BoardContext);
  if (board === undefined) throw new Error('this component belongs into the board');
  return board;
}
