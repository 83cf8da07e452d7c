import { type Position, parsePosition } from '@rivulet/protocol';
import { StreamError } from '../access/stream-error.js';
import type { Item } from './mirror.js';

/**
 * A state of a group or an item that the application brings. The answer of `GET /stream/{stream}/{group}` (RV-51) is such a state, and so
 * is a `GroupView`.
 */
export interface InitialState<T> {
  /** The items in the order of creation. */
  readonly items: readonly { readonly id: string; readonly data: T }[];
  /** The position at which the items are true. Without it the client requests the whole state. */
  readonly position?: Position | string | null | undefined;
  /** Set by an answer that has only a part of the items. Then the client requests the whole state. */
  readonly next?: string;
}

/**
 * Returns the items of a state in the form of a view; with `id` only this item. Without a state there are none. The state does not say when
 * the items were created. So they are numbered from 0, which is never later than the real offset: each item before it took an offset too.
 */
export function initialItems<T>(initial: InitialState<T> | undefined, id?: string): readonly Item<T>[] {
  const offset = positionOf(initial?.position)?.offset ?? 0;
  const all = (initial?.items ?? []).map((item, created) => ({ id: item.id, data: item.data, created, offset }));
  return id === undefined ? all : all.filter((item) => item.id === id);
}

/** Returns the position from which the client resumes; `undefined` if it can't resume from this state. */
export function initialPosition({ position, next }: InitialState<unknown>): Position | undefined {
  return next === undefined ? positionOf(position) : undefined;
}

/** Throws `INVALID_OPTIONS` for a value that is no state. It may come from the text of a page. */
export function checkInitial(initial: InitialState<unknown>): void {
  if (!Array.isArray(initial?.items)) throw new StreamError('INVALID_OPTIONS', 'option "initial" must be an object with items');
}

function positionOf(position: InitialState<unknown>['position']): Position | undefined {
  return typeof position === 'string' ? parsePosition(position) : (position ?? undefined);
}
