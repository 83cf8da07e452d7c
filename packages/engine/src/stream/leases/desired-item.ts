import type { JsonText } from '@rivulet/protocol';
import type { UnlessLeased } from '../../store/store.js';

/** The value of a leased item. */
export interface LeaseData {
  readonly data: JsonText;
  /** Milliseconds for which the item outlives its last lease after a dropped connection or a crash. */
  readonly graceMs: number;
}

/**
 * The state that an item of the store should have, and the condition of the write that leads there.
 *
 * Several engines may share a store, and the newest join of all of them leases the item. So a write that is not the newest join itself has
 * a guard: it does nothing while another lease exists.
 *
 * - A join takes a lease, or its client replaces the data: the new data, without a guard. The newest join wins.
 * - The last lease of this engine ends: no data. Guard `elsewhere`, since another engine may lease the item.
 * - The store released the leases of this engine: the same data. Guard `anywhere`, unless a write is due, which keeps its guard.
 * - A write failed and nothing newer is desired: the same data and guard. A write without a guard gets `elsewhere`.
 * - A write failed and something newer is desired: the newer data and guard.
 *
 * A repeated write has a guard, because the client may have joined at another engine since the first try.
 */
export type DesiredItem =
  /** The store has it, or a write that leads there runs. */
  | { readonly kind: 'settled'; readonly data: LeaseData | undefined }
  /** A write must follow. `data` undefined: it deletes the item. */
  | { readonly kind: 'due'; readonly data: LeaseData | undefined; readonly guard: UnlessLeased | undefined };

export type DueItem = Extract<DesiredItem, { kind: 'due' }>;

export const NOTHING_DESIRED: DesiredItem = { kind: 'settled', data: undefined };

/** A join took a lease, or its client replaced the data. */
export function leased(data: LeaseData): DesiredItem {
  return { kind: 'due', data, guard: undefined };
}

/** The last lease of this engine ended. */
export function unleased(): DesiredItem {
  return { kind: 'due', data: undefined, guard: 'elsewhere' };
}

/** The store released the leases of this engine. */
export function released(desired: DesiredItem): DesiredItem {
  return desired.kind === 'due' ? desired : { kind: 'due', data: desired.data, guard: 'anywhere' };
}

/** The write of a due item begins. */
export function begun({ data }: DueItem): DesiredItem {
  return { kind: 'settled', data };
}

/** The write of `tried` failed; `desired` is the state since it began. */
export function failed(desired: DesiredItem, tried: DueItem): DesiredItem {
  return desired.kind === 'due' ? desired : { ...desired, kind: 'due', guard: tried.guard ?? 'elsewhere' };
}
