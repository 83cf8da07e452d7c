import type { StoredGroup, StoreName } from './stored-groups.js';

/** A report of a recorded program, in line with its system calls. */
export type Mark =
  /** The store was opened, and this is what it has. */
  | { readonly m: 'base'; readonly store: StoreName; readonly groups: Readonly<Record<string, StoredGroup>> }
  /** The store reported a commit. From now on its caller and every reader may rely on it. */
  | ({ readonly m: 'commit'; readonly store: StoreName } & MarkedCommit)
  /** A write under an idempotency key was acknowledged. */
  | ({ readonly m: 'key'; readonly store: StoreName } & MarkedKey)
  /** The store was closed. */
  | { readonly m: 'closed'; readonly store: StoreName };

export interface MarkedCommit {
  readonly group: string;
  /** Empty for an event. */
  readonly item: string;
  readonly effect: 'create' | 'update' | 'delete' | 'event';
  readonly epoch: string;
  readonly offset: number;
  readonly created: number;
  readonly timestamp: number;
  readonly hash: string;
  /** A later commit belongs to the same step. */
  readonly isPartial: boolean;
}

export interface MarkedKey {
  readonly group: string;
  readonly key: string;
  readonly answer: string;
  readonly offset: number;
}

/** Every write under a key has the same content for the store, because the answer decides what was written. */
export const FINGERPRINT = 'power-cuts';
export const RETENTION_MS = 604_800_000;
