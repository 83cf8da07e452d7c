import { field, formatPosition, type JsonObject, type JsonText, RivuletError } from '@rivulet/protocol';
import { mismatch, readData } from '../../core/builtins/input.js';
import { requireStorable } from '../../core/builtins/stored-value.js';
import { UpdateCall } from '../../core/builtins/update-call.js';
import type { Call } from '../../core/fabric/invocation.js';
import type { ChangeResult, WriteChange, WriteResult } from '../../store/store.js';
import { readId } from './stream-input.js';
import type { WriteTerms } from './write-options.js';

export type OperationKind = 'set' | 'update' | 'delete';
type ItemChange = Extract<WriteChange, { kind: OperationKind }>;

/** One change of an item, by a function or in a batch, and the text of its result. */
export interface Operation {
  readonly change: ItemChange;
  /** UTF-16 code units of the call that are kept until the result is returned. */
  readonly chars: number;
  /** Returns an object as JSON text. */
  result(result: ChangeResult): JsonText;
}

/** Reads `type` of a write in a batch. Throws deserialization_error. */
export function readKind(input: JsonObject): OperationKind {
  const type = field(input, 'type');
  if (type === 'set' || type === 'update' || type === 'delete') return type;
  throw mismatch('type must be set, update or delete');
}

/** Reads one change. Throws deserialization_error, INVALID_ID or VALUE_TOO_LARGE. */
export function readOperation(kind: OperationKind, call: Call, input: JsonObject, terms: WriteTerms | undefined): Operation {
  const item = readId(input, 'item_id');
  switch (kind) {
    case 'set': {
      const data = readData(call, input);
      requireStorable(data);
      const result = ({ old }: ChangeResult) => `{"old_value":${old ?? 'null'},"new_value":${data}}`;
      return { change: { kind, item, data, ...terms }, chars: data.length, result };
    }
    case 'update': {
      const update = new UpdateCall(call, input);
      const result = (changed: ChangeResult) => update.result(changed.old, changed.kind === 'applied' ? changed.new : undefined);
      return { change: { kind, item, ...update.change, ...terms }, chars: update.text.length, result };
    }
    case 'delete':
      return { change: { kind, item, condition: terms?.condition }, chars: 0, result: ({ old }) => `{"old_value":${old ?? 'null'}}` };
    default:
      return kind satisfies never;
  }
}

/** Returns the result of an operation. With `versions` it has the version of the item after the write. */
export function resultText(operation: Operation, result: ChangeResult, versions: boolean): JsonText {
  const text = operation.result(result);
  if (!versions) return text;
  const version = result.kind === 'applied' ? result.position : result.version;
  return withMember(text, 'version', version === undefined ? 'null' : JSON.stringify(formatPosition(version)));
}

/** Returns the result of a write whose condition does not hold. `more`: members before the value, each followed by a comma. */
export function conflictText({ value, version }: Extract<WriteResult, { kind: 'conflict' }>, more = ''): JsonText {
  const versionText = version === undefined ? 'null' : JSON.stringify(formatPosition(version));
  return `{"conflict":{${more}"value":${value ?? 'null'},"version":${versionText}}}`;
}

/** Returns the result of an earlier call with the same idempotency key. */
export function replayedText(answer: JsonText): JsonText {
  return answer === 'null' ? '{"replayed":true}' : withMember(answer, 'replayed', 'true');
}

function withMember(object: JsonText, key: string, value: JsonText): JsonText {
  return `${object.slice(0, -1)},"${key}":${value}}`;
}

/** Returns an error of the write `index` of a batch, with the index in its message. */
export function placed(error: unknown, index: number): unknown {
  return error instanceof RivuletError ? new RivuletError(error.code, `writes[${index}]: ${error.message}`, { cause: error }) : error;
}
