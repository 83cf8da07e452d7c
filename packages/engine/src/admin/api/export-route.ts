import type { EngineParts } from '../../metrics/engine-parts.js';
import { dumpOf } from '../../store/shared/dump.js';
import { dumpText } from '../../store/shared/dump-lines.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, AnswerError } from '../answer.js';
import { readOnly } from '../page.js';
import type { RouteRow } from '../routes.js';

const EXPORT = '/api/stores/{store}/export';

/** The path that returns all items of a store in memory. It needs the full token, and is logged. */
export function exportRoutes(parts: EngineParts): readonly RouteRow[] {
  let isRunning = false;
  async function* onlyOne(pieces: AsyncIterable<string>): AsyncIterable<string> {
    try {
      yield* pieces;
    } finally {
      isRunning = false;
    }
  }
  const handle = (request: AdminRequest): Answer => {
    readOnly(request.query);
    if (parts.stage() !== 'running') throw new AnswerError(503, 'ENGINE_STOPPING', 'the engine starts or stops');
    const { store: name = '' } = request.parameters;
    const store = name === 'stream' || name === 'state' ? parts.stores[name] : undefined;
    if (store === undefined) throw new AnswerError(404, 'NOT_FOUND', 'this engine has no such store; the stores are stream and state');
    // A group is copied when a write meets an export of it, so one export at a time bounds the memory.
    if (isRunning) throw new AnswerError(503, 'OVERLOADED', 'another export of this engine runs; wait until it has ended');
    const source = dumpOf(store);
    if (source === undefined)
      throw new AnswerError(400, 'INVALID_ARGUMENTS', `the ${name} store is not in memory; run rivulet export with the configuration`);
    isRunning = true;
    return { status: 200, body: '', type: 'application/x-ndjson', pieces: onlyOne(dumpText(name, source)) };
  };
  return [
    {
      method: 'GET',
      path: EXPORT,
      need: 'full',
      handle,
      ended: ({ parameters }, status) =>
        parts.logger.info('admin_action', { action: `GET ${EXPORT}`, store: parameters.store?.slice(0, 64), status }),
    },
  ];
}
