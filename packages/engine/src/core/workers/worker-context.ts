import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { Channels } from '../channels/channels.js';
import type { FunctionFabric } from '../fabric/function-fabric.js';
import type { ExpiryWatch } from '../revocation/expiry-watch.js';
import type { SessionDirectory } from '../revocation/session-directory.js';
import type { RegistrationBudgets } from './registration-budget.js';
import type { RegisteredWorker, WorkerRegistry } from './worker-registry.js';

/** Everything that the sessions of one worker listener share. */
export interface WorkerContext<Session extends RegisteredWorker> {
  readonly fabric: FunctionFabric;
  readonly workers: WorkerRegistry<Session>;
  readonly channels: Channels;
  /** Sessions by the identity of their user. Absent in simulations. */
  readonly sessions?: SessionDirectory | undefined;
  /** Ends sessions whose access expires. Absent in simulations. */
  readonly expiry?: ExpiryWatch | undefined;
  /** Bounds of the registrations of all listeners together. Absent in simulations. */
  readonly budgets?: RegistrationBudgets | undefined;
  /** Calls of one connection that may be unanswered at a time. */
  readonly maxInFlightCalls: number;
  readonly maxMessageBytes: number;
  /** Function that gets the calls of the sessions in place of their targets. */
  readonly middlewareFunction: string | undefined;
  /** True: guests get the errors of functions unchanged. @default false */
  readonly exposeErrorMessages?: boolean | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}
