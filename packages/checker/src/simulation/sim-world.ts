import type { Random } from '@rivulet/testkit/random';
import type { NemesisVerb, NewOp } from '../history/op.js';
import type { Plan } from './plan.js';
import type { Peer, SimConnection } from './sim-connection.js';
import type { VirtualTime } from './virtual-time.js';

/** The simulated world, as its readers and workers see it. `Simulation` implements it. */
export interface SimWorld {
  readonly plan: Plan;
  readonly time: VirtualTime;
  readonly random: Random;
  /** Whether faults may still happen. */
  readonly faulty: boolean;
  /** Adds an operation to the history. */
  readonly record: (op: NewOp) => void;
  /** Adds a fault to the history. */
  nemesis(verb: NemesisVerb, on?: string, how?: string): void;
  /** Opens a connection of a stream client. Returns undefined while no engine runs. */
  dialStream(reader: Peer & { readonly client: { readonly who: string } }): SimConnection | undefined;
  /** Opens a connection of a reader by plain HTTP. Returns undefined while no engine runs. */
  dialHttp(reader: Peer): SimConnection | undefined;
  /** Ends the reads by plain HTTP of an identity, as an operator does. */
  disconnect(who: string): void;
  /** Opens a connection of a worker. Returns undefined while no engine runs. */
  dialWorker(worker: Peer): SimConnection | undefined;
}
