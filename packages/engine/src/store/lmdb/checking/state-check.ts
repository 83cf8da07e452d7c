import { isSound, textIn } from '../tables/records.js';
import { STATE_KEY } from '../tables/store-meta.js';
import type { Findings } from './findings.js';
import type { LinkSum } from './link-sum.js';

/** Totals of the tables that describe no single group. */
export interface CheckedTotals {
  readonly keys: { readonly count: number; readonly bytes: number; readonly sum: LinkSum; readonly ages: LinkSum };
  /** The record of the state of the store; `undefined` when it is damaged or missing. */
  readonly state: Buffer | undefined;
  /** The highest number of a group. */
  readonly lastGroup: number;
}

/** Compares the state of the store with its tables. A total that differs says that records are lost or old. */
export function checkState({ keys, state, lastGroup }: CheckedTotals, findings: Findings): void {
  const isWhole = (...tables: readonly string[]) => tables.every((table) => findings.damagedIn(table) === 0);
  const contradicts = (table: string, problem: string) => findings.add({ kind: 'contradiction', table, problem });
  // A power cut may end the creation of a store before its first transaction.
  if (state === undefined && lastGroup === 0 && keys.count === 0) return;
  if (state === undefined || !isSound(STATE_KEY, state)) {
    contradicts('meta', 'the record of the state of the store is damaged or missing');
    return;
  }
  // oxlint-disable-next-line eslint/no-restricted-properties -- written by the store and checked by its checksum
  const known = JSON.parse(textIn(state).toString()) as { nextGroup: number; keys?: number; keyBytes?: number };
  if (known.nextGroup <= lastGroup)
    contradicts('meta', `the next group would get the number ${known.nextGroup}, and ${lastGroup} is taken`);
  if ((known.keys ?? 0) !== keys.count || (known.keyBytes ?? 0) !== keys.bytes)
    contradicts('keys', `the table has ${keys.count} idempotency keys of ${keys.bytes} bytes and not ${known.keys} of ${known.keyBytes}`);
  if (isWhole('keys', 'key_ages') && !keys.sum.equals(keys.ages)) contradicts('key_ages', 'the table names other idempotency keys');
}
