import type { Connection, JoinLeaveTriggers } from '@rivulet/engine/parts';
import type { StreamStore } from '@rivulet/engine/stores';
import { SimStore, type SimStoreParts } from './sim-store.js';

/**
 * Where something that is wrong may take the place of a part of the engine, so that the engine itself has no place for bugs. By default
 * every part is itself.
 */
export interface Faults {
  /** The store over the disk. */
  simStore(parts: SimStoreParts): SimStore;
  /** In front of the store. */
  store(store: StreamStore): StreamStore;
  /** Between a stream session and its socket. */
  connection(connection: Connection): Connection;
  /** Between a worker session and its socket. */
  workerConnection(connection: Connection): Connection;
  triggers(triggers: JoinLeaveTriggers): JoinLeaveTriggers;
  /** Replaces methods for the time of a run; answers what puts them back. */
  install(): () => void;
}

export const NO_FAULTS: Faults = {
  simStore: (parts) => new SimStore(parts),
  store: (store) => store,
  connection: (connection) => connection,
  workerConnection: (connection) => connection,
  triggers: (triggers) => triggers,
  install: () => () => {},
};
