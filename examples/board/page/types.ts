/** A person as the token says it. `color` is one of the colours in style.css. */
export interface Person {
  readonly name: string;
  readonly color: string;
}

export type ColumnId = 'todo' | 'doing' | 'done';

export interface Card {
  readonly id: string;
  readonly title: string;
  readonly column: ColumnId;
  /** The cards of a column are in the order of their ranks. */
  readonly rank: number;
  /** The author of the title. */
  readonly by: Person;
  /** The time at which the card was added, in Unix milliseconds. */
  readonly at: number;
}

/** The streams of the board, with the types of their items. `connect` takes them, and all views and drafts have these types. */
export interface Streams {
  board: Card;
  /** The item of each person who is here has the id of the person. The engine deletes it when the person leaves. */
  here: Person & { readonly id: string };
  /** The card that each person edits now. `null`: none. */
  typing: { readonly card: string; readonly isTyping: boolean } | null;
}

/** The functions of worker.mjs. */
export interface Functions {
  'board::add': { payload: Pick<Card, 'id' | 'title' | 'column' | 'rank'>; result: null };
  'board::edit': { payload: Pick<Card, 'id' | 'title'>; result: null };
  'board::move': { payload: Pick<Card, 'id' | 'column' | 'rank'>; result: null };
  'board::remove': { payload: Pick<Card, 'id'>; result: null };
}

/** A card in the page. */
export interface ShownCard extends Card {
  /** Whether the page shows a change of this card that the server has not confirmed yet. */
  readonly pending: boolean;
}

/** A place on the board: in front of the card `before`, or at the end of the column. */
export interface Place {
  readonly column: ColumnId;
  readonly before: string | undefined;
}

export interface Settings {
  readonly streamUrl: string;
  readonly me: Person & { readonly sub: string };
}
