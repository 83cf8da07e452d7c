/**
 * The parts that the engine is made of, for simulations that give them sockets, time and a store of their own. No promise of stability:
 * programs use `startEngine` and stores `@rivulet/engine/stores`.
 */

export type { StreamConfig } from './config/config.js';
export { Channels } from './core/channels.js';
export type { Fabric, TriggerBinding } from './core/fabric.js';
export { FunctionFabric } from './core/function-fabric.js';
export { type Call, JsonPayload, type Outcome } from './core/invocation.js';
export { WorkerRegistry } from './core/worker-registry.js';
export { WorkerSession } from './core/worker-session.js';
export { ExpiryWatch } from './core/workers/access/expiry-watch.js';
export { type LogFields, type Logger, silentLogger } from './logging/logger.js';
export { BackedStore } from './stream/backed-store.js';
export { Backends } from './stream/backends.js';
export { ChangeTriggers } from './stream/change-triggers.js';
export { FrameEncoder } from './stream/frame-encoder.js';
export { GroupFanout } from './stream/group-fanout.js';
export { GroupLog } from './stream/group-log.js';
export { Hub } from './stream/hub.js';
export { Leases } from './stream/leases.js';
export { registerStreamFunctions } from './stream/stream-functions.js';
export { type SessionRoom, StreamSession } from './stream/stream-session.js';
export { Subscription } from './stream/subscription.js';
export { type JoinEvent, SubscriptionTriggers } from './stream/subscription-triggers.js';
export type { Clock } from './structures/clock.js';
export type { Connection, ConnectionOwner } from './transport/connection.js';
