import { LIMITS, type WorkerMessage } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { Connection } from '../../transport/connection.js';
import type { FunctionFabric } from '../fabric/function-fabric.js';
import { GuestGate } from './access/guest-gate.js';
import type { GuestWorker } from './access/guest-registrations.js';
import type { GuestAdmission } from './access/listener-access.js';
import type { NameMap } from './access/name-map.js';
import type { SessionPermissions } from './access/session-permissions.js';
import { NamespaceHold } from './namespace-hold.js';
import type { WorkerRegistrations } from './registrations.js';

/** The stage that a frame passes before it takes effect. It keeps the frames in order while one of them waits. */
export type SessionEntry =
  /** Registrations wait for the announcement, which names the namespace. */
  | { readonly kind: 'trusted'; readonly stage: NamespaceHold }
  /** Registrations pass permissions and hooks. Guests belong to the namespace `default`. */
  | { readonly kind: 'guest'; readonly stage: GuestGate };

/** The session whose frames pass the entry. */
export interface EnteringSession extends GuestWorker {
  readonly identity: string | undefined;
  readonly names: NameMap;
}

/** A connected session, as far as the checks of guests compare it. */
interface OtherSession {
  readonly access: SessionPermissions | undefined;
  readonly identity: string | undefined;
}

export interface EntryContext {
  readonly session: EnteringSession;
  readonly connection: Connection;
  readonly registrations: WorkerRegistrations;
  readonly fabric: FunctionFabric;
  readonly workers: { get(workerId: string): OtherSession | undefined };
  readonly logger: Logger;
  /** Runs for each frame that takes effect, in order. `chars`: length of the frame's text. */
  readonly handle: (message: WorkerMessage, chars: number) => void;
}

/** Returns the entry stage of a session: that of a trusted worker when there is no `admission`. */
export function entryOf(context: EntryContext, admission: GuestAdmission | undefined): SessionEntry {
  return admission === undefined ? { kind: 'trusted', stage: newHold(context) } : { kind: 'guest', stage: newGate(context, admission) };
}

function newHold({ session, registrations, logger, handle }: EntryContext): NamespaceHold {
  return new NamespaceHold({
    handle,
    settle: (namespace) => registrations.moveTo(namespace),
    full: () => {
      const fields = { worker: session.workerId, limit: LIMITS.namespaceHeldFrames, bytes: LIMITS.namespaceHeldChars };
      logger.warn('namespace_wait_full', { ...fields, consequence: 'its registrations take effect before its announcement' });
    },
  });
}

function newGate(context: EntryContext, admission: GuestAdmission): GuestGate {
  const { session, connection, registrations, fabric, workers, logger, handle } = context;
  const isTrusted = (workerId: string) => workers.get(workerId)?.access === undefined;
  const isAnother = (workerId: string) => workers.get(workerId)?.identity !== session.identity;
  return new GuestGate(
    { ...admission, fabric, registrations, names: session.names, worker: session, isTrusted, isAnother },
    {
      handle,
      full: () => {
        logger.warn('held_frames_full', { worker: session.workerId, limit: LIMITS.heldFrames, bytes: LIMITS.heldFrameChars });
        connection.close('tryLater');
        connection.destroy();
      },
      failed: (error) => {
        logger.error('connection_failed', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
        connection.close('internal');
      },
    },
  );
}
