import type { Item, ViewOptions } from '../index.js';
import type { StreamGroup } from './shown.js';

/** A group whose items are leases: one item for each client, or for each user. */
export interface Presence<T> extends StreamGroup<T> {
  /** The item whose id is the option `self`. */
  readonly self: Item<T> | undefined;
  /** All items but that one. */
  readonly others: readonly Item<T>[];
}

export interface PresenceActions<T> {
  /** Replaces the data of the lease of this client, until `data` changes. Throws `VALUE_TOO_LARGE` above 16 KiB of JSON. */
  readonly update: (data: T) => void;
}

export interface PresenceOptions<T> extends ViewOptions<T> {
  /**
   * The id of the item that this client leases. The `stream:join` function of the application chooses it, for instance the id of the user.
   * @default none
   */
  readonly self?: string | undefined;
}

export function presenceOf<T>(shown: StreamGroup<T>, self: string | undefined): Presence<T> {
  const { items } = shown;
  return { ...shown, self: items.find(({ id }) => id === self), others: items.filter(({ id }) => id !== self) };
}
