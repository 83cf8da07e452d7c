import type { Connection, JoinLeaveTriggers } from '@rivulet/engine/parts';
import type { StreamStore } from '@rivulet/engine/stores';
import type { MangleBytes } from './http/sim-socket.js';
import { SimStore, type SimStoreDeps } from './sim-store.js';

/**
 * Replaceable components of a simulated engine. A deliberate bug replaces one of them, so the engine needs no hooks for bugs. The defaults
 * change nothing.
 */
export interface Faults {
  /** Makes the store over the simulated disk. */
  simStore(deps: SimStoreDeps): SimStore;
  /** Wraps the store. */
  store(store: StreamStore): StreamStore;
  /** Wraps the connection between a stream session and its socket. */
  connection(connection: Connection): Connection;
  /** Wraps the connection between a worker session and its socket. */
  workerConnection(connection: Connection): Connection;
  /** Returns a function that alters the bytes of one connection of plain HTTP. */
  httpBytes(): MangleBytes;
  triggers(triggers: JoinLeaveTriggers): JoinLeaveTriggers;
  /** Replaces methods for one run. Returns a function that restores them. */
  install(): () => void;
}

export const NO_FAULTS: Faults = {
  simStore: (deps) => new SimStore(deps),
  store: (store) => store,
  connection: (connection) => connection,
  workerConnection: (connection) => connection,
  httpBytes: () => (bytes) => bytes,
  triggers: (triggers) => triggers,
  install: () => () => {},
};
