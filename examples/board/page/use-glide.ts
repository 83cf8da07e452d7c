import { type RefObject, useLayoutEffect, useRef } from 'react';

const GLIDE_MS = 200;

/**
 * Lets cards glide to their new places. Returns a function that says where a card was last, for a card that the person has dragged. The
 * cards are at their new places in the page at once; only the drawing is late.
 */
export function useGlide(board: RefObject<HTMLElement | null>): (id: string, from: DOMRect) => void {
  const places = useRef(new Map<string, DOMRect>());
  useLayoutEffect(() => {
    const before = places.current;
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    places.current = new Map();
    for (const card of board.current?.querySelectorAll<HTMLElement>('[data-card]') ?? []) {
      const id = card.dataset['card'] ?? '';
      const now = card.getBoundingClientRect();
      places.current.set(id, now);
      const old = before.get(id);
      if (isCalm || old === undefined || (old.left === now.left && old.top === now.top)) continue;
      card.animate([{ transform: `translate(${old.left - now.left}px, ${old.top - now.top}px)` }, { transform: 'none' }], {
        duration: GLIDE_MS,
        easing: 'cubic-bezier(0.2, 0, 0, 1)',
      });
    }
  });
  return (id, from) => places.current.set(id, from);
}
