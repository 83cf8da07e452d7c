import { boundsClauses } from './bounds.js';
import { changeClauses } from './changes.js';
import { expiryClauses } from './expiry.js';
import type { StoreClause } from './factory.js';
import { historyClauses } from './history.js';
import { itemClauses } from './items.js';
import { nameClauses } from './names.js';
import { writeClauses } from './writes.js';

export type { OpenStore, StoreClause, StoreFactory } from './factory.js';

/**
 * The contract of every `StreamStore` (store.ts of the engine) as clauses that can run without a test runner. A clause rejects when the
 * store breaks it.
 *
 * To test an adapter, run all clauses with your own factory: `for (const clause of storeContract) await clause.run(factory)`. `write` is
 * optional: its clauses pass for a store without it. Clauses about bounds pass for a factory without `bounded`.
 */
export const storeContract: readonly StoreClause[] = [
  ...itemClauses,
  ...nameClauses,
  ...historyClauses,
  ...changeClauses,
  ...writeClauses,
  ...expiryClauses,
  ...boundsClauses,
];
