import { type RefObject, useLayoutEffect, useRef, useState } from 'react';
import { nameOf } from './places.js';
import type { Place, ShownCard } from './types.js';
import type { BoardActions } from './use-board.js';

/**
 * Returns `move`, which also keeps the focus on the card, and `spoken`, which says to people who don't see the board where the card is now.
 */
export function useMoves(board: RefObject<HTMLElement | null>, cards: readonly ShownCard[], actions: BoardActions) {
  const [spoken, setSpoken] = useState('');
  const focused = useRef<string>(undefined);
  useLayoutEffect(() => {
    const card = board.current?.querySelector<HTMLElement>(`[data-card="${focused.current}"]`);
    if (!card) return;
    if (!card.contains(document.activeElement)) card.focus();
    focused.current = undefined;
  }, [board, cards]);

  const move = (card: ShownCard, place: Place) => {
    // A card in another column is another element, so it gets the focus again.
    if (document.activeElement?.closest(`[data-card="${card.id}"]`)) focused.current = card.id;
    actions.move(card, place);
    setSpoken(`${card.title}: in ${nameOf(place.column)}`);
  };
  return { move, spoken };
}
