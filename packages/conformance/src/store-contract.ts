import { changeClauses } from './store-contract-changes.js';
import { expiryClauses } from './store-contract-expiry.js';
import type { StoreClause } from './store-contract-factory.js';
import { historyClauses } from './store-contract-history.js';
import { itemClauses } from './store-contract-items.js';
import { nameClauses } from './store-contract-names.js';
import { writeClauses } from './store-contract-writes.js';

export type { OpenStore, StoreClause, StoreFactory } from './store-contract-factory.js';

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
