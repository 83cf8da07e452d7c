import type { MarkedKey } from './marks.js';
import type { Durability, StoredGroup, StoreName } from './stored-groups.js';

/** Work for the process that opens what a power cut left. */
export interface OpenJob {
  readonly id: number;
  readonly directory: string;
  readonly durability: Durability;
  /** Whether to open each store a second time, after a write. */
  readonly reopens: boolean;
  /** For each store, writes under keys that must be remembered when the store has their offset. */
  readonly keys: Readonly<Record<StoreName, readonly MarkedKey[]>>;
}

/** The content of one store as the process found it. */
export type OpenedStore =
  | { readonly kind: 'opened'; readonly groups: Readonly<Record<string, StoredGroup>>; readonly wrong: readonly string[] }
  | { readonly kind: 'refused'; readonly error: string };

export interface OpenReport {
  readonly id: number;
  readonly stores: Readonly<Record<StoreName, OpenedStore>>;
}
