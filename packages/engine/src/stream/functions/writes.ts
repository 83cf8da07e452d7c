import { createHash } from 'node:crypto';
import { field, type JsonObject, type JsonText } from '@rivulet/protocol';
import { mismatch, readData, readFlag, readInput, readText } from '../../core/builtins/input.js';
import { requireStorable } from '../../core/builtins/stored-value.js';
import { traced } from '../../core/builtins/traced-write.js';
import { UpdateCall } from '../../core/builtins/update-call.js';
import type { Call } from '../../core/fabric/invocation.js';
import type { WriteOperation } from '../../core/fabric/tracing.js';
import type { PendingWrites } from '../../store/callers/pending-writes.js';
import { requireId } from '../../store/shared/ids.js';
import type { ApplyResult, Change, ChangeResult, GroupRef, Once, WriteChange, WriteResult } from '../../store/store.js';
import type { WorkerBackedStore } from '../worker-store/worker-backed-store.js';
import type { RefusedWrites } from './refused-writes.js';
import { readGroup, readId } from './stream-input.js';
import {
  conflictText,
  type Operation,
  type OperationKind,
  placed,
  readKind,
  readOperation,
  replayedText,
  resultText,
} from './write-operations.js';
import { readKey, readTerms, readWrites, type WriteTerms } from './write-options.js';

/** Options of a single write. */
interface Extras {
  readonly terms: WriteTerms | undefined;
  readonly key: string | undefined;
  readonly versions: boolean;
}

/** The result of a write that is not the replay of an earlier one. */
type OwnResult = Exclude<WriteResult, { kind: 'replayed' }>;

/** A write of the store, and the result that its caller gets. */
interface AnsweredWrite extends GroupRef {
  readonly changes: readonly WriteChange[];
  /** UTF-16 code units of the call that are kept until the result is returned. */
  readonly chars: number;
  readonly batch: boolean;
  readonly key: string | undefined;
  /** Function and items of the write. An idempotency key belongs to them. */
  readonly names: readonly (string | undefined)[];
  readonly answer: (result: OwnResult) => JsonText;
}

/** Names of writes in spans. */
const OPERATIONS: Readonly<Record<Change['kind'] | 'batch', WriteOperation>> = {
  set: 'stream.set',
  update: 'stream.update',
  delete: 'stream.delete',
  event: 'stream.send',
  external: 'stream.send',
  batch: 'stream.batch',
};

/** The `stream::*` functions that write. A write without options goes through `apply`, which costs less than `write`. */
export class StreamWrites {
  readonly #store: WorkerBackedStore;
  readonly #pending: PendingWrites;
  readonly #idempotencyRetentionMs: number;
  readonly #refused: RefusedWrites | undefined;

  /** `refused` records conflicts. @default nothing */
  constructor(store: WorkerBackedStore, pending: PendingWrites, idempotencyRetentionMs: number, refused?: RefusedWrites) {
    this.#refused = refused;
    this.#store = store;
    this.#pending = pending;
    this.#idempotencyRetentionMs = idempotencyRetentionMs;
  }

  async set(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const ref = readGroup(input);
    const extras = readExtras(input, 'set');
    if (extras !== undefined) return this.#single(call, ref, readOperation('set', call, input, extras.terms), extras);
    const change = { kind: 'set', ...ref, item: readId(input, 'item_id'), data: readData(call, input) } as const;
    requireStorable(change.data);
    const result = await this.#apply(call, change, change.data.length);
    const after = result.kind === 'applied' ? result.new : undefined;
    return `{"old_value":${result.old ?? 'null'},"new_value":${after ?? change.data}}`;
  }

  async delete(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const ref = readGroup(input);
    const extras = readExtras(input, 'delete');
    if (extras !== undefined) return this.#single(call, ref, readOperation('delete', call, input, extras.terms), extras);
    const result = await this.#apply(call, { kind: 'delete', ...ref, item: readId(input, 'item_id') }, 0);
    return `{"old_value":${result.old ?? 'null'}}`;
  }

  async update(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const ref = readGroup(input);
    const extras = readExtras(input, 'update');
    if (extras !== undefined) return this.#single(call, ref, readOperation('update', call, input, extras.terms), extras);
    const update = new UpdateCall(call, input);
    const item = readId(input, 'item_id');
    if (this.#store.updates(ref.stream)) {
      const run = () => this.#store.update(ref, item, update.text);
      const { old, new: after } = await this.#begin(call, ref, 'update', 1, update.text.length, run);
      return `{"old_value":${old ?? 'null'},"new_value":${after ?? 'null'}}`;
    }
    const result = await this.#apply(call, { kind: 'update', ...ref, item, ...update.change }, update.text.length);
    return update.result(result.old, result.kind === 'applied' ? result.new : undefined);
  }

  async send(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const type = field(input, 'type') ?? field(input, 'event_type') ?? 'message';
    if (typeof type !== 'string') throw mismatch('type must be a string');
    const id = field(input, 'id') ?? field(input, 'item_id') ?? undefined;
    if (id !== undefined && typeof id !== 'string') throw mismatch('id must be a string');
    // On the wire, an empty id means the whole group.
    const item = id === '' ? undefined : id;
    if (item !== undefined) requireId(item, 'id');
    const ref = readGroup(input);
    const key = readKey(input);
    const event = { kind: 'event', item, type, data: readData(call, input, 'null') } as const;
    const chars = type.length + event.data.length;
    if (key !== undefined)
      return this.#write(call, { ...ref, changes: [event], chars, batch: false, key, names: ['send', item], answer: () => 'null' });
    await this.#apply(call, { ...ref, ...event }, chars);
    return 'null';
  }

  async batch(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const ref = readGroup(input);
    const versions = readFlag(input, 'with_versions');
    const operations = readWrites(input).map((write, index) => {
      try {
        if (readText(write, 'idempotency_key') !== undefined)
          throw mismatch('idempotency_key is for the whole batch; give it beside writes');
        const kind = readKind(write);
        return readOperation(kind, call, write, readTerms(write, kind));
      } catch (error) {
        throw placed(error, index);
      }
    });
    return this.#write(call, {
      ...ref,
      changes: operations.map(({ change }) => change),
      chars: operations.reduce((sum, { chars }) => sum + chars, 0),
      batch: true,
      key: readKey(input),
      names: ['batch', ...operations.flatMap(({ change }) => [change.kind, change.item])],
      answer: (result) => {
        if (result.kind === 'conflict') {
          const item = operations[result.index]?.change.item;
          return conflictText(result, `"index":${result.index},"item_id":${JSON.stringify(item)},`);
        }
        const texts = operations.map((operation, index) => resultText(operation, resultAt(result, index), versions));
        return `{"results":[${texts.join(',')}]}`;
      },
    });
  }

  #single(call: Call, ref: GroupRef, operation: Operation, { key, versions }: Extras): Promise<JsonText> {
    const { change, chars } = operation;
    const answer = (result: OwnResult) =>
      result.kind === 'conflict' ? conflictText(result) : resultText(operation, resultAt(result, 0), versions);
    return this.#write(call, { ...ref, changes: [change], chars, batch: false, key, names: [change.kind, change.item], answer });
  }

  async #write(call: Call, { stream, group, changes, chars, batch, key, names, answer }: AnsweredWrite): Promise<JsonText> {
    const ref = { stream, group };
    let once: Once | undefined;
    if (key !== undefined) once = { key, retentionMs: this.#idempotencyRetentionMs, fingerprint: fingerprintOf(names), answer };
    const write = { kind: 'write', ...ref, changes, batch, once } as const;
    const run = () => this.#store.write(write, call.caller?.workerId);
    const result = await this.#begin(call, ref, batch ? 'batch' : (changes[0]?.kind ?? 'batch'), changes.length, chars, run);
    if (result.kind === 'conflict') {
      const items = changes.map(({ item }) => item);
      this.#refused?.conflict(ref, items, result.index);
    }
    return result.kind === 'replayed' ? replayedText(result.answer) : answer(result);
  }

  /** `chars`: UTF-16 code units of the call that are kept until the result is returned. */
  #apply(call: Call, change: Change, chars: number): Promise<ApplyResult> {
    return this.#begin(call, change, change.kind, 1, chars, () => this.#store.apply(change, call.caller?.workerId));
  }

  /** Begins a write, below the span of its call if there is one. */
  #begin<Result extends ApplyResult | WriteResult>(
    { span }: Call,
    ref: GroupRef,
    kind: Change['kind'] | 'batch',
    changes: number,
    chars: number,
    run: () => Promise<Result>,
  ): Promise<Result> {
    if (span === undefined) return this.#pending.begin(ref, chars, run);
    const { stream, group } = ref;
    return this.#pending.begin(ref, chars, traced(span, { operation: OPERATIONS[kind], stream, group, changes }, run));
  }
}

/** Reads the options of a write. Returns `undefined` without any of them. */
function readExtras(input: JsonObject, of: OperationKind): Extras | undefined {
  const terms = readTerms(input, of);
  const key = readKey(input);
  const versions = readFlag(input, 'with_versions');
  return terms === undefined && key === undefined && !versions ? undefined : { terms, key, versions };
}

function resultAt(result: Extract<OwnResult, { kind: 'written' }>, index: number): ChangeResult {
  const found = result.results[index];
  if (found === undefined) throw new Error(`the store answered no result for the change ${index} of a write`);
  return found;
}

/** Returns a fingerprint of function and items. Its length is the same for every number of items. */
function fingerprintOf(names: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('base64url');
}
