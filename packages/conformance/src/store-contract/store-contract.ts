import { changeClauses } from './changes.js';
import { expiryClauses } from './expiry.js';
import type { StoreClause } from './factory.js';
import { historyClauses } from './history.js';
import { itemClauses } from './items.js';
import { nameClauses } from './names.js';
import { writeClauses } from './writes.js';

export type { OpenStore, StoreClause, StoreFactory } from './factory.js';

/**
 * What every `StreamStore` owes the engine, as runnable clauses without a test runner: each throws when the store breaks it. Run all
 * of them with a factory of your own to prove an adapter. Those of `write`, which is optional, pass for a store without it.
 */
export const storeContract: readonly StoreClause[] = [
  ...itemClauses,
  ...nameClauses,
  ...historyClauses,
  ...changeClauses,
  ...writeClauses,
  ...expiryClauses,
];
