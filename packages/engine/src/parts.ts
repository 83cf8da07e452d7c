/**
 * Internal parts of the engine, for simulations that replace its sockets, its clock and its store. This entry promises no stability.
 * Programs use `startEngine`, and stores use `@rivulet/engine/stores`.
 */

export type { JwtConfig, StreamConfig } from './config/config.js';
export { defaultStream } from './config/loading/read-workers.js';
export { Channels } from './core/channels/channels.js';
export type { Fabric, TriggerBinding } from './core/fabric/fabric.js';
export { FunctionFabric } from './core/fabric/function-fabric.js';
export { type Call, JsonPayload, type Outcome } from './core/fabric/invocation.js';
export { JwtAccess } from './core/jwt/jwt-access.js';
export { ExpiryWatch } from './core/revocation/expiry-watch.js';
export { SessionDirectory } from './core/revocation/session-directory.js';
export { WorkerRegistry } from './core/workers/worker-registry.js';
export { WorkerSession } from './core/workers/worker-session.js';
export { type LogFields, type Logger, silentLogger } from './logging/logger.js';
export type { CallLedger, CallOutcome, LedgerCall, LedgerEntry } from './stream/calls/call-ledger.js';
export { createCallLedger, type OwnedLedger } from './stream/calls/ledger/open-ledger.js';
export { GroupFanout } from './stream/fanout/group-fanout.js';
export { GroupLog } from './stream/fanout/group-log.js';
export { Hub } from './stream/fanout/hub.js';
export { Subscription } from './stream/fanout/subscription.js';
export { FrameEncoder } from './stream/frames/frame-encoder.js';
export { ChangeTriggers } from './stream/functions/change-triggers.js';
export { registerStreamFunctions } from './stream/functions/stream-functions.js';
export { Leases } from './stream/leases/leases.js';
export { buildReading, type ReadingDeps } from './stream/reading/build-reading.js';
export type { HttpReading } from './stream/reading/http-reading.js';
export { AuthGate } from './stream/session/auth-gate.js';
export { type JoinEvent, JoinLeaveTriggers } from './stream/session/join-leave-triggers.js';
export { StreamSession, type StreamSessionContext } from './stream/session/stream-session.js';
export { WorkerBackedStore } from './stream/worker-store/worker-backed-store.js';
export { WorkerBackends } from './stream/worker-store/worker-backends.js';
export type { Clock } from './structures/clock.js';
export { Wildcard } from './structures/wildcard.js';
export {
  PageFile,
  type PreflightEnding,
  type PreflightReport,
  type PreflightRequest,
  runPreflight,
  StoreTrees,
  salvage,
} from './tools/damage-harness.js';
export type { Connection, ConnectionOwner } from './transport/connection.js';
export type { UpgradeRequest } from './transport/upgrade/upgrade-request.js';
