import { RivuletError } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import { readInput, readText } from '../builtins/input.js';
import { ENGINE_SCHEMAS } from '../contracts/engine-schemas.js';
import { DISCONNECT_FUNCTION } from '../fabric/engine-names.js';
import type { Fabric } from '../fabric/fabric.js';
import type { Call, Outcome } from '../fabric/invocation.js';
import type { SessionDirectory } from './session-directory.js';

/** Registers the function that ends the sessions of a user. */
export function registerDisconnect(fabric: Fabric, sessions: SessionDirectory, logger: Logger): void {
  fabric.registerBuiltin(
    DISCONNECT_FUNCTION,
    (call) => disconnect(call, sessions, logger),
    'Ends the sessions of an identity on all listeners of this engine, or one session by its id.',
    ENGINE_SCHEMAS[DISCONNECT_FUNCTION],
  );
}

function disconnect(call: Call, sessions: SessionDirectory, logger: Logger): Outcome {
  const input = readInput(call);
  const identity = readText(input, 'identity');
  const sessionId = readText(input, 'session_id');
  if ((identity === undefined) === (sessionId === undefined))
    throw new RivuletError('INVALID_ARGUMENTS', 'give either identity or session_id');
  const count = identity === undefined ? Number(sessions.disconnectSession(sessionId ?? '')) : sessions.disconnect(identity);
  logger.info('sessions_disconnected', {
    by: call.caller?.workerId,
    count,
    ...(identity === undefined ? { session: sessionId } : { identity }),
  });
  return { kind: 'result', text: JSON.stringify({ disconnected: count }) };
}
