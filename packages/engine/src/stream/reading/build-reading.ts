import { LIMITS } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { SessionDirectory } from '../../core/revocation/session-directory.js';
import type { Clock } from '../../structures/clock.js';
import type { AuthGate } from '../session/auth-gate.js';
import type { StreamSessionContext } from '../session/stream-session.js';
import type { WorkerBackedStore } from '../worker-store/worker-backed-store.js';
import { ChangeReads } from './changes/change-reads.js';
import { EventStreams } from './events/event-streams.js';
import { HttpReading } from './http-reading.js';
import { GroupPages } from './requests/group-page.js';
import { ReadAccess } from './requests/read-access.js';
import { ReadFigures } from './requests/read-figures.js';
import type { ReadRef } from './requests/read-target.js';

export interface ReadingDeps {
  readonly config: StreamConfig;
  readonly auth: AuthGate;
  readonly store: WorkerBackedStore;
  /** The context that all sessions of the listener share. */
  readonly context: StreamSessionContext;
  readonly directory: SessionDirectory;
  /** Milliseconds without the store after which reads are refused. @default LIMITS.outageRefuseMs */
  readonly refuseMs: number | undefined;
  readonly clock: Clock;
}

/** Builds the reads of one stream listener by plain HTTP. */
export function buildReading({ config, auth, store, context, directory, refuseMs, clock }: ReadingDeps): HttpReading {
  const { hub, triggers, frames, logger, expiry } = context;
  const figures = new ReadFigures();
  const changes = new ChangeReads({ hub, socket: context, figures, clock });
  directory.onDisconnect((identity) => changes.revoke(identity));
  const pages = new GroupPages(store, frames);
  const hasPositions = (ref: ReadRef) => pages.hasPositions(ref);
  return new HttpReading({
    config,
    changes,
    access: new ReadAccess({ auth, triggers, directory, clock, why: context.why }),
    pages,
    events: new EventStreams({ auth, context, directory, config, figures, hasPositions, clock }),
    figures,
    hub,
    expiry,
    refuseMs: refuseMs ?? LIMITS.outageRefuseMs,
    clock,
    logger,
  });
}
