import { field, type JsonObject, type JsonText, RivuletError } from '@rivulet/protocol';
import type { Call } from '../fabric/invocation.js';
import { mismatch, requireExact } from './input.js';
import { ParsedValues } from './parsed-values.js';
import { applyUpdateOps } from './update-apply.js';
import { parseUpdateOps, type UpdateError, type UpdateOp } from './update-ops.js';

/** Most UTF-8 bytes of one UTF-16 code unit. */
const MOST_BYTES_PER_UNIT = 3;

/** Parsed values of all updates of this process. A value is found by its whole text. */
const parsed = new ParsedValues();

/** One call of `state::update` or `stream::update`. It computes the new value for the store, and the result for the caller. */
export class UpdateCall {
  /** The operations as the caller sent them. */
  readonly text: JsonText;
  readonly #ops: readonly UpdateOp[];
  readonly #requireFits: (text: JsonText) => void;
  /** Bytes of the largest item that a guest may change; `undefined` for other callers. */
  readonly #guestBytes: number | undefined;
  #after: JsonText | undefined;
  #errors: readonly UpdateError[] = [];

  /** Throws deserialization_error. `requireFits` throws when a new value is too large. */
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

  /** Returns the fields of a store's `update`, without the names of the item. */
  get change(): { readonly compute: UpdateCall['compute']; readonly requireSize: ((bytes: number) => void) | undefined } {
    return { compute: this.compute, requireSize: this.#guestBytes === undefined ? undefined : (bytes) => this.#requireGuestBytes(bytes) };
  }

  /**
   * Returns the new value for the store, or `undefined` to leave the item unchanged. It may run more than once, and the last run counts.
   */
  readonly compute = (old: JsonText | undefined): JsonText | undefined => {
    // The check comes before the parse. Otherwise a guest could occupy the engine with a value that a worker has written.
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
    throw new RivuletError('VALUE_TOO_LARGE', `a guest session changes items of at most ${most} bytes, as its messages have`);
  }

  /**
   * Returns the result for the caller.
   *
   * @param old The value before, as the store returned it.
   * @param after The value after, where it differs from the computed one. A missing item that stays missing shows the empty object from
   * which the update started.
   */
  result(old: JsonText | undefined, after = this.#after): JsonText {
    const tail = this.#errors.length === 0 ? '' : `,"errors":${JSON.stringify(this.#errors)}`;
    return `{"old_value":${old ?? 'null'},"new_value":${after ?? '{}'}${tail}}`;
  }
}
