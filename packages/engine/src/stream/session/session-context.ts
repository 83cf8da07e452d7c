import type { StreamConfig } from '../../config/config.js';
import type { ExpiryWatch } from '../../core/revocation/expiry-watch.js';
import type { SessionDirectory } from '../../core/revocation/session-directory.js';
import type { Logger } from '../../logging/logger.js';
import type { Connection } from '../../transport/connection.js';
import type { WhyRecords } from '../../why/why-records.js';
import type { PageCalls } from '../calls/page-calls.js';
import type { Hub } from '../fanout/hub.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import type { Leases } from '../leases/leases.js';
import type { JoinLeaveTriggers } from './join-leave-triggers.js';
import type { SessionOutlet } from './session-socket.js';

/** The context that all sessions of a gateway share. It is one object, because an engine has thousands of sessions. */
export interface SessionContext<Session> {
  readonly hub: Hub;
  readonly triggers: JoinLeaveTriggers;
  readonly leases: Leases;
  /** Calls of functions. Absent where clients call nothing. */
  readonly calls?: PageCalls | undefined;
  readonly frames: FrameEncoder;
  readonly config: Pick<StreamConfig, 'maxBufferedBytes' | 'maxSubscriptionsPerConnection'>;
  readonly logger: Logger;
  readonly sessions: Set<Session>;
  readonly expiry: ExpiryWatch;
  /** Sessions by the identity of their user. Absent in simulations. */
  readonly directory?: SessionDirectory | undefined;
  /** Records refused joins and ended sessions. Absent where nobody can ask for them. */
  readonly why?: WhyRecords | undefined;
}

/** The connection of a session: a WebSocket, or an event stream of plain HTTP. */
export type SessionConnection = SessionOutlet & Pick<Connection, 'destroy' | 'peerAddress'> & { readonly transport?: 'sse' };
