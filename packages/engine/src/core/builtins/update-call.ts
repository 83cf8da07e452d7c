import { field, type JsonObject, type JsonText, RivuletError } from '@rivulet/protocol';
import type { Call } from '../fabric/invocation.js';
import { mismatch, requireExact } from './input.js';
import { ParsedValues } from './parsed-values.js';
import { applyUpdateOps } from './update-apply.js';
import { parseUpdateOps, type UpdateError, type UpdateOp } from './update-ops.js';

/** Bytes of UTF-8 that one UTF-16 code unit takes at most. */
const MOST_BYTES_PER_UNIT = 3;

/** Shared by all updates of this process: a value is found by its whole text. */
const parsed = new ParsedValues();

/** One call of `state::update` or `stream::update`: what the store computes with, and what the caller gets. */
export class UpdateCall {
  /** The operations as they came. */
  readonly text: JsonText;
  readonly #ops: readonly UpdateOp[];
  readonly #requireFits: (text: JsonText) => void;
  /** Bytes of the largest item that a guest may change; `undefined` for others. */
  readonly #guestBytes: number | undefined;
  #after: JsonText | undefined;
  #errors: readonly UpdateError[] = [];

  /** Throws deserialization_error. `requireFits` throws when a value that would be written is too large. */
  constructor(call: Call, input: JsonObject, requireFits: (text: JsonText) => void = () => {}) {
    requireExact(call);
    const ops = field(input, 'ops');
    const parsed = parseUpdateOps(ops);
    if (parsed.kind === 'invalid') throw mismatch(parsed.message);
    this.text = JSON.stringify(ops);
    this.#ops = parsed.ops;
    this.#requireFits = requireFits;
    const { caller } = call;
    this.#guestBytes = caller?.access === undefined ? undefined : caller.maxMessageBytes;
  }

  /** Returns what an `update` of a store needs beside the names of its item. */
  get change(): { readonly compute: UpdateCall['compute']; readonly requireSize: ((bytes: number) => void) | undefined } {
    return { compute: this.compute, requireSize: this.#guestBytes === undefined ? undefined : (bytes) => this.#requireGuestBytes(bytes) };
  }

  /** For a store: the new value, or `undefined` to leave the item as it is. May run more than once; the last run counts. */
  readonly compute = (old: JsonText | undefined): JsonText | undefined => {
    // Before it is parsed: a guest must not hold up the engine with a value that a worker has written.
    if (old !== undefined) this.#requireGuestMay(old);
    const applied = applyUpdateOps(old, this.#ops, parsed);
    if (applied.changed && applied.text !== undefined) {
      this.#requireGuestMay(applied.text);
      this.#requireFits(applied.text);
    }
    this.#after = applied.text;
    this.#errors = applied.errors;
    return applied.changed ? applied.text : undefined;
  };

  #requireGuestMay(text: JsonText): void {
    const most = this.#guestBytes;
    if (most !== undefined && text.length * MOST_BYTES_PER_UNIT > most) this.#requireGuestBytes(Buffer.byteLength(text));
  }

  #requireGuestBytes(bytes: number): void {
    const most = this.#guestBytes;
    if (most === undefined || bytes <= most) return;
    throw new RivuletError('VALUE_TOO_LARGE', `a session with rules changes items of at most ${most} bytes, as its messages have`);
  }

  /**
   * The result after the store has answered with the value before, and with the one after where it differs from what was computed. An update
   * that leaves a missing item missing shows the empty object from which it started.
   */
  result(old: JsonText | undefined, after = this.#after): JsonText {
    const tail = this.#errors.length === 0 ? '' : `,"errors":${JSON.stringify(this.#errors)}`;
    return `{"old_value":${old ?? 'null'},"new_value":${after ?? '{}'}${tail}}`;
  }
}
