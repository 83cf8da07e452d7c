import { storeContract } from '@rivulet/conformance/store-contract';
import { lmdbFactory, memoryFactory } from '@rivulet/testkit/stores/store-factories';
import { describe, test } from 'vitest';

const stores = [
  { name: 'memory', factory: memoryFactory },
  { name: 'lmdb', factory: () => lmdbFactory() },
  { name: 'lmdb, relaxed', factory: () => lmdbFactory('relaxed') },
];

describe.each(stores)('the contract of a store: $name', ({ factory }) => {
  const { persistent } = factory();
  const owed = storeContract.filter((clause) => persistent || !clause.persistent);
  test.each(owed)('$title', (clause) => clause.run(factory()));
});
