import type { JsonText } from '@rivulet/protocol';
import { storeFunctions } from '../../core/builtins/answer.js';
import type { Fabric } from '../../core/fabric/fabric.js';
import type { Call } from '../../core/fabric/invocation.js';
import type { Logger } from '../../logging/logger.js';
import { PendingWrites } from '../../store/callers/pending-writes.js';
import type { WhyRecords } from '../../why/why-records.js';
import type { WorkerBackedStore } from '../worker-store/worker-backed-store.js';
import { StreamReads } from './reads.js';
import { RefusedWrites } from './refused-writes.js';
import { STREAM_SCHEMAS } from './stream-schemas.js';
import { StreamWrites } from './writes.js';

interface StreamFunctionsDeps {
  readonly fabric: Fabric;
  readonly store: WorkerBackedStore;
  readonly idempotencyRetentionMs: number;
  readonly logger: Logger;
  /** Records writes that are refused. @default nothing */
  readonly why?: WhyRecords | undefined;
}

/** Registers the nine `stream::*` functions (spec ST §2.1). */
export function registerStreamFunctions(deps: StreamFunctionsDeps): void {
  const pending = new PendingWrites();
  const reads = new StreamReads(deps.store, pending);
  const refused = deps.why === undefined ? undefined : new RefusedWrites(deps.why);
  const writes = new StreamWrites(deps.store, pending, deps.idempotencyRetentionMs, refused);
  const noted = (run: (call: Call) => Promise<JsonText>) => refused?.noted(run) ?? run;
  const add = storeFunctions(deps, STREAM_SCHEMAS, 'stream_function_failed');
  add(
    'stream::set',
    'STREAM_SET_ERROR',
    'Creates or replaces an item.',
    noted((call) => writes.set(call)),
  );
  add('stream::get', 'STREAM_GET_ERROR', 'Reads an item.', (call) => reads.get(call));
  add(
    'stream::delete',
    'STREAM_DELETE_ERROR',
    'Removes an item.',
    noted((call) => writes.delete(call)),
  );
  add('stream::list', 'STREAM_GET_GROUP_ERROR', 'Lists the values of a group.', (call) => reads.list(call));
  add('stream::list_groups', 'STREAM_LIST_GROUPS_ERROR', 'Lists the groups of a stream.', (call) => reads.listGroups(call));
  add('stream::list_all', 'STREAM_LIST_ALL_ERROR', 'Lists streams and their groups.', (call) => reads.listAll(call));
  add(
    'stream::send',
    'STREAM_SEND_ERROR',
    'Pushes an event to everyone who watches.',
    noted((call) => writes.send(call)),
  );
  add(
    'stream::update',
    'STREAM_UPDATE_ERROR',
    'Changes an item by operations, atomically.',
    noted((call) => writes.update(call)),
  );
  add(
    'stream::batch',
    'STREAM_BATCH_ERROR',
    'Changes several items of a group in one step.',
    noted((call) => writes.batch(call)),
  );
}
