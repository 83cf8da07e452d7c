import type { JsonText } from '@rivulet/protocol';
import { answerOf } from '../../core/builtins/answer.js';
import { readCount, readInput } from '../../core/builtins/input.js';
import type { Fabric } from '../../core/fabric/fabric.js';
import type { Call } from '../../core/fabric/invocation.js';
import type { Logger } from '../../logging/logger.js';
import { SESSION_SCHEMAS } from '../functions/stream-schemas.js';
import type { StreamSession } from './stream-session.js';

/** Rows of one list at most. */
const MOST_LISTED = 10_000;
/** Rows of one list by default. */
const LISTED = 100;

interface SessionFunctionsDeps {
  readonly fabric: Fabric;
  readonly sessions: () => ReadonlySet<StreamSession>;
  readonly logger: Logger;
}

/** Registers `engine::stream-sessions::list`, which shows the connected clients and how far each is behind. */
export function registerSessionFunctions({ fabric, sessions, logger }: SessionFunctionsDeps): void {
  const list = (call: Call) => Promise.resolve(listSessions(sessions(), readCount(readInput(call), 'limit', MOST_LISTED) ?? LISTED));
  fabric.registerBuiltin(
    'engine::stream-sessions::list',
    (call) => answerOf(list(call), 'invocation_error', logger, 'stream_function_failed'),
    'Stream clients that are connected now, those furthest behind first.',
    SESSION_SCHEMAS,
  );
}

function listSessions(sessions: ReadonlySet<StreamSession>, limit: number): JsonText {
  const rows = Array.from(sessions, (session) => ({
    session,
    address: session.remoteAddress,
    transport: session.transport,
    subscriptions: session.subscriptions,
    positions: session.positions,
    lag: session.lag,
    owned_bytes: session.ownedBytes,
  })).sort((one, other) => other.lag - one.lag || other.owned_bytes - one.owned_bytes);
  return JSON.stringify({
    count: rows.length,
    lagging: rows.filter(({ lag }) => lag > 0).length,
    sessions: rows.slice(0, limit).map(shownRow),
  });
}

/** Returns a row as operators read it. The session gets its id now, if it has none. */
function shownRow<Figures extends object>({ session, ...figures }: Figures & { readonly session: StreamSession }): object {
  return { session_id: session.sessionId, identity: session.identity ?? null, ...figures };
}
