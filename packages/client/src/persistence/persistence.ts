/*
 * The code of persistent copies. The client loads this module when the option `persist` is set and a view is opened. It uses no code of
 * other modules of the client, because a bundler would then make a third file of the code that both use.
 */
import type { Clock } from '../connection/clock.js';
import type { Replica } from '../subscription/replica.js';
import { indexedDbStore } from './indexed-db.js';
import type { PersistStore } from './persist-store.js';
import { type PersistBounds, PersistentCopy } from './persistent-copy.js';

export { indexedDbStore };

/** Returns a function that makes the copy of a target. All copies share one store. */
export function copiesIn(persist: string | PersistStore, clock: Clock, bounds: PersistBounds, failed: (cause: unknown) => void) {
  const store = typeof persist === 'string' ? indexedDbStore(persist) : persist;
  return (key: string, replica: Replica) => new PersistentCopy(store, key, replica, clock, bounds, failed);
}
