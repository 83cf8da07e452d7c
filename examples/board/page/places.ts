import type { ColumnId, Place, ShownCard } from './types.js';

export const COLUMNS: readonly { readonly id: ColumnId; readonly name: string }[] = [
  { id: 'todo', name: 'To do' },
  { id: 'doing', name: 'Doing' },
  { id: 'done', name: 'Done' },
];

export const nameOf = (column: ColumnId): string => COLUMNS.find(({ id }) => id === column)?.name ?? column;

/** Returns the cards of a column in their order. Cards of the same rank have the same order on every page. */
export function cardsOf(cards: readonly ShownCard[], column: ColumnId): readonly ShownCard[] {
  return cards.filter((card) => card.column === column).sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1));
}

/** Returns a rank between the neighbours of a place. `id` is the card that goes there. */
export function rankAt(cards: readonly ShownCard[], place: Place, id: string): number {
  const others = cardsOf(cards, place.column).filter((card) => card.id !== id);
  const found = others.findIndex((card) => card.id === place.before);
  const index = found < 0 ? others.length : found;
  const above = others[index - 1]?.rank;
  const below = others[index]?.rank;
  if (above === undefined) return below === undefined ? 0 : below - 1;
  return below === undefined ? above + 1 : (above + below) / 2;
}

/** Returns the place to which an arrow key moves a card, or `undefined` at the edge of the board. */
export function placeTowards(cards: readonly ShownCard[], card: ShownCard, key: string): Place | undefined {
  const column = cardsOf(cards, card.column);
  const index = column.findIndex(({ id }) => id === card.id);
  const inColumn = (at: number): Place => ({ column: card.column, before: column[at]?.id });
  if (key === 'ArrowUp') return index > 0 ? inColumn(index - 1) : undefined;
  if (key === 'ArrowDown') return index < column.length - 1 ? inColumn(index + 2) : undefined;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0;
  const next = COLUMNS[COLUMNS.findIndex(({ id }) => id === card.column) + step];
  if (step === 0 || next === undefined) return undefined;
  return { column: next.id, before: cardsOf(cards, next.id)[index]?.id };
}
