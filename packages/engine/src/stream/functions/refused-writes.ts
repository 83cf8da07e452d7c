import { field, isJsonObject, type JsonObject, type JsonText, LIMITS, RivuletError, stringField } from '@rivulet/protocol';
import { AnsweredError } from '../../core/builtins/answer.js';
import { readInput } from '../../core/builtins/input.js';
import type { Call } from '../../core/fabric/invocation.js';
import { isStreamName, isValidId } from '../../store/shared/ids.js';
import type { GroupRef } from '../../store/store.js';
import type { WhyRecords } from '../../why/why-records.js';

/** Longest text of an error that is kept. */
const MOST_REASON_CHARS = 256;

/** Records writes that a condition or an error refuses. A write that succeeds costs one `await`. */
export class RefusedWrites {
  readonly #why: Pick<WhyRecords, 'writeFailed'>;

  constructor(why: Pick<WhyRecords, 'writeFailed'>) {
    this.#why = why;
  }

  /** Returns a function that does what `run` does, and records its failure. */
  noted(run: (call: Call) => Promise<JsonText>): (call: Call) => Promise<JsonText> {
    return async (call) => {
      try {
        return await run(call);
      } catch (error) {
        this.#failed(call, error);
        throw error;
      }
    };
  }

  /** Records a write whose condition did not hold. `items`: those of all its changes. */
  conflict({ stream, group }: GroupRef, items: readonly (string | undefined)[], index: number): void {
    this.#why.writeFailed({
      stream,
      group,
      ...firstOf(items),
      kind: 'condition',
      batch: items.length > 1,
      failedItem: items[index],
      code: 'CONFLICT',
      reason: 'the condition of the write did not hold',
    });
  }

  /** Reads from the call what it wanted. The call may be anything, because the error may say that it makes no sense. */
  #failed(call: Call, error: unknown): void {
    const named = namesOf(call);
    if (named === undefined) return;
    const { code, message } = bodyOf(error);
    const reason = message.slice(0, MOST_REASON_CHARS);
    const { batch, items, ...ref } = named;
    this.#why.writeFailed({ ...ref, ...firstOf(items), kind: 'error', batch, failedItem: failedIn(message, items), code, reason });
  }
}

function namesOf(call: Call): (GroupRef & { readonly items: readonly (string | undefined)[]; readonly batch: boolean }) | undefined {
  let input: JsonObject;
  try {
    input = readInput(call);
  } catch {
    return undefined;
  }
  const stream = stringField(input, 'stream_name');
  const group = stringField(input, 'group_id');
  if (stream === undefined || group === undefined || !isStreamName(stream) || !isValidId(group)) return undefined;
  const writes = field(input, 'writes');
  const batch = Array.isArray(writes);
  const items = (batch ? writes.slice(0, LIMITS.batchWrites) : [input]).map(itemOf);
  return { stream, group, items, batch };
}

function itemOf(write: unknown): string | undefined {
  const item = isJsonObject(write) ? (stringField(write, 'item_id') ?? stringField(write, 'id')) : undefined;
  return item !== undefined && isValidId(item) ? item : undefined;
}

function firstOf(items: readonly (string | undefined)[]): { readonly items: readonly string[]; readonly more: boolean } {
  const known = items.slice(0, LIMITS.whyBatchItems).filter((item) => item !== undefined);
  return { items: known, more: items.length > LIMITS.whyBatchItems };
}

/** Returns the item of the change that an error of a batch names by its index. */
function failedIn(message: string, items: readonly (string | undefined)[]): string | undefined {
  const index = /^writes\[(\d{1,6})\]/.exec(message)?.[1];
  return index === undefined ? undefined : items[Number(index)];
}

function bodyOf(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof RivuletError) return error;
  if (error instanceof AnsweredError) return error.body;
  return { code: 'INTERNAL_ERROR', message: 'the store failed; the log of the engine has the cause' };
}
