import { type Draft, StreamError } from '@rivulet/client';
import { useMemo } from 'react';
import { client, me, useStreamGroup } from './client.js';
import { rankAt } from './places.js';
import type { ColumnId, Place, ShownCard, Streams } from './types.js';

/** The group of all cards, of everybody who is here, and of what they write. */
export const GROUP = 'main';

export interface BoardActions {
  add(title: string, column: ColumnId): void;
  edit(card: ShownCard, title: string): void;
  move(card: ShownCard, place: Place): void;
  remove(card: ShownCard): void;
}

const author = { name: me.name, color: me.color };

/** A title that a person writes: of a card, or of a new card in a column. */
export type Writing =
  | { readonly kind: 'edit'; readonly card: string; readonly title: string }
  | { readonly kind: 'add'; readonly column: ColumnId; readonly title: string };

/** A change that did not take effect. The page shows the old state again. */
export interface Refusal {
  readonly message: string;
  /** The title that the worker refused, so that the person can write on. */
  readonly writing: Writing | undefined;
}

/** Returns the cards, live, and the actions on them. Each action shows its change at once, and calls a function of the worker. */
export function useBoard(onRefused: (refusal: Refusal) => void) {
  const { items, status, error } = useStreamGroup('board', GROUP);
  const cards = useMemo(() => items.map(({ data, pending = false }): ShownCard => ({ ...data, pending })), [items]);
  const cardsIn = (draft: Draft<Streams>) => draft.group('board', GROUP);
  const refused = (writing?: Writing) => (cause: unknown) =>
    onRefused({ message: cause instanceof StreamError ? cause.message : String(cause), writing });

  const actions: BoardActions = {
    add(title, column) {
      const rank = rankAt(cards, { column, before: undefined }, '');
      const added = { id: crypto.randomUUID(), title, column, rank };
      const optimistic = (draft: Draft<Streams>) => cardsIn(draft).set(added.id, { ...added, by: author, at: Date.now() });
      client.call('board::add', added, { optimistic }).catch(refused({ kind: 'add', column, title }));
    },
    edit({ id }, title) {
      const optimistic = (draft: Draft<Streams>) => cardsIn(draft).update(id, (card) => ({ ...card, title, by: author }));
      client.call('board::edit', { id, title }, { optimistic }).catch(refused({ kind: 'edit', card: id, title }));
    },
    move({ id }, place) {
      const moved = { column: place.column, rank: rankAt(cards, place, id) };
      const optimistic = (draft: Draft<Streams>) => cardsIn(draft).update(id, (card) => ({ ...card, ...moved }));
      client.call('board::move', { id, ...moved }, { optimistic }).catch(refused());
    },
    remove({ id }) {
      const optimistic = (draft: Draft<Streams>) => cardsIn(draft).delete(id);
      client.call('board::remove', { id }, { optimistic }).catch(refused());
    },
  };
  return { cards, status, error, actions };
}
