import type { Channels } from '../core/channels/channels.js';
import type { Introspection } from '../core/engine-api/introspection.js';
import type { FunctionFabric } from '../core/fabric/function-fabric.js';
import type { SessionDirectory } from '../core/revocation/session-directory.js';
import type { WorkerGateway } from '../core/workers/worker-gateway.js';
import type { WorkerRegistry } from '../core/workers/worker-registry.js';
import type { WorkerSession } from '../core/workers/worker-session.js';
import type { HttpModule } from '../http/http-module.js';
import type { BoundedLogger } from '../logging/bounded-logger.js';
import type { EventCounters } from '../logging/event-counters.js';
import type { LogMemory } from '../logging/log-memory.js';
import type { StreamStore } from '../store/store.js';
import type { StreamModule } from '../stream/stream-module.js';
import type { Clock } from '../structures/clock.js';
import type { DescriptorReserve } from '../transport/admission/descriptor-reserve.js';
import type { LoopDelay } from './loop-delay.js';
import type { Samples } from './samples.js';

/** `starting` until all listeners are open. `draining` from the signal to stop. */
export type EngineStage = 'starting' | 'running' | 'draining';

/** A listener with its real port. */
export interface OpenListener {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** The parts of one engine, for metrics and for the admin listener. Both only read them. */
export interface EngineParts {
  readonly stage: () => EngineStage;
  readonly listeners: readonly OpenListener[];
  readonly streams: StreamModule | undefined;
  readonly http: HttpModule | undefined;
  readonly stores: { readonly stream: StreamStore | undefined; readonly state: StreamStore | undefined };
  readonly fabric: FunctionFabric;
  readonly introspection: Introspection;
  readonly workers: WorkerRegistry<WorkerSession>;
  readonly gateways: readonly WorkerGateway[];
  readonly sessions: SessionDirectory;
  readonly channels: Channels;
  readonly descriptors: DescriptorReserve;
  /** Runs while the admin listener is open. */
  readonly loop: LoopDelay;
  /** Figures of the last minutes. They are taken while the admin listener is open. */
  readonly samples: Samples;
  readonly clock: Clock;
  readonly counters: EventCounters;
  readonly logger: BoundedLogger;
  /** The newest warnings of `logger`. */
  readonly logMemory: LogMemory;
}
