import { type PointerEvent as ReactPointerEvent, type RefObject, useEffect, useRef, useState } from 'react';
import type { ColumnId, Place } from './types.js';

/** A press becomes a drag after this many pixels. Otherwise it is a click. */
const THRESHOLD = 5;

export interface Drag {
  readonly id: string;
  readonly place: Place;
}

/**
 * Moves cards with a mouse, a pen or a finger. While a card is dragged, a copy of it follows the pointer, and `drag.place` is where it
 * would go. Escape ends the drag without a move.
 */
export function useDrag(board: RefObject<HTMLElement | null>, onDrop: (id: string, place: Place, copy: DOMRect) => void) {
  const [drag, setDrag] = useState<Drag>();
  const drop = useRef(onDrop);
  const end = useRef(() => {});
  useEffect(() => {
    drop.current = onDrop;
  });
  useEffect(() => () => end.current(), []);

  const start = (event: ReactPointerEvent<HTMLElement>, id: string) => {
    const card = event.currentTarget.closest<HTMLElement>('[data-card]');
    if (event.button !== 0 || card === null) return;
    const from = card.getBoundingClientRect();
    const listening = new AbortController();
    let copy: HTMLElement | undefined;
    let place: Place | undefined;

    end.current = () => {
      listening.abort();
      copy?.remove();
      setDrag(undefined);
    };
    const on = <K extends keyof WindowEventMap>(type: K, listener: (event: WindowEventMap[K]) => void) =>
      window.addEventListener(type, listener, { signal: listening.signal });

    on('pointermove', ({ clientX, clientY }) => {
      const [x, y] = [clientX - event.clientX, clientY - event.clientY];
      if (copy === undefined && Math.hypot(x, y) < THRESHOLD) return;
      copy ??= copyOf(card, from);
      copy.style.transform = `translate(${x}px, ${y}px) rotate(2deg)`;
      place = placeAt(board.current, clientX, clientY, id) ?? place;
      if (place !== undefined) setDrag((old) => (old && isSame(old.place, place) ? old : { id, place: place as Place }));
    });
    on('pointerup', () => {
      const at = copy?.getBoundingClientRect();
      end.current();
      if (place !== undefined && at !== undefined) drop.current(id, place, at);
    });
    on('pointercancel', () => end.current());
    on('keydown', ({ key }) => key === 'Escape' && end.current());
  };
  return { drag, start };
}

const isSame = (a: Place, b: Place | undefined) => a.column === b?.column && a.before === b.before;

function copyOf(card: HTMLElement, { left, top, width, height }: DOMRect): HTMLElement {
  const copy = card.cloneNode(true) as HTMLElement;
  copy.removeAttribute('data-card');
  copy.className += ' dragged';
  copy.ariaHidden = 'true';
  Object.assign(copy.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  document.body.append(copy);
  return copy;
}

/** Returns the place below the pointer: in front of the first card whose middle is below it. */
function placeAt(board: HTMLElement | null, x: number, y: number, id: string): Place | undefined {
  for (const column of board?.querySelectorAll<HTMLElement>('[data-column]') ?? []) {
    const { left, right, top, bottom } = column.getBoundingClientRect();
    if (x < left || x > right || y < top || y > bottom) continue;
    const cards = [...column.querySelectorAll<HTMLElement>('[data-card]')].filter((card) => card.dataset['card'] !== id);
    const below = cards.find((card) => {
      const { top: from, height } = card.getBoundingClientRect();
      return from + height / 2 > y;
    });
    return { column: column.dataset['column'] as ColumnId, before: below?.dataset['card'] };
  }
  return undefined;
}
