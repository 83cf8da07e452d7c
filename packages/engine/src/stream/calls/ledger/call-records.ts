import { createHash } from 'node:crypto';
import { RivuletError } from '@rivulet/protocol';
import { LEDGER_STREAM } from '../../../store/shared/ids.js';
import type { WritableStore } from '../../../store/store.js';
import type { CallName } from '../call-ledger.js';
import { decodeEnd, encodeEnd, type StoredEnd } from './call-end.js';

/**
 * Groups over which the records are spread. A store may write to several groups at the same time, but to each one after another. This is
 * part of the stored format: with another number an engine does not find the records of the version before, and runs a repeated call again.
 * With a Redis at 2 ms, 64 groups would store twice as many calls.
 */
const GROUPS = 16;
/** The group with a record for each epoch. */
const EPOCHS = 'epochs';
/** The longest retention, for the few records that must not end. */
const LONGEST_MS = 31_536_000_000;
/** No item of the ledger exists, so a delete of this one changes nothing. */
const NO_ITEM = 'none';
const FINGERPRINT = 'call';

/** Thrown inside a write that must not take effect. `#find` catches it. */
const NOT_FOUND = new RivuletError('INVALID_ARGUMENTS', 'the ledger of calls has no record under this key');

/** The place of a call in the store. */
export interface CallPlace {
  readonly group: string;
  readonly id: string;
  /** The caller. It takes its turns in the queue of the store, and has a share of the ledger. */
  readonly caller: string;
}

/** The group of a record, and the caller on whose turn it is written; `undefined`: the engine. */
type RecordPlace = Pick<CallPlace, 'group'> & { readonly caller: string | undefined };

/** Returns the place of a call. Calls of two identities, functions or keys never share one. */
export function placeOf({ identity, address, functionId, key }: CallName): CallPlace {
  const digest = createHash('sha256')
    .update(JSON.stringify([identity ?? null, functionId, key]))
    .digest();
  return { group: String(digest.readUInt8(0) % GROUPS), id: digest.toString('base64url'), caller: callerOf({ identity, address }) };
}

/** Returns the name of a caller: its identity, or its address when it has none. */
export function callerOf({ identity, address }: Pick<CallName, 'identity' | 'address'>): string {
  return identity === undefined ? `address ${address ?? ''}` : `identity ${identity}`;
}

/**
 * The records of calls in the stream store. Each record is the remembered answer of a write that changes nothing (`Once` of the store
 * contract). So a record is as durable as a write, engines over one Redis share it, and it goes when its time is over. It has no item,
 * no commit and no tombstone, and its group is in no list.
 *
 * An attempt of a call has up to three kinds of records: `claim`, `end`, and `beat 0`, `beat 1` and so on while it runs for long. A call
 * has more than one attempt only when the earlier ones were released.
 */
export class CallRecords {
  readonly #store: WritableStore;
  readonly #retentionMs: number;

  /** `retentionMs`: how long records are kept, in milliseconds. */
  constructor(store: WritableStore, retentionMs: number) {
    this.#store = store;
    this.#retentionMs = Math.min(retentionMs, LONGEST_MS);
  }

  /** Claims an attempt. Resolves with the claim that the store has: this one, or an earlier one. */
  claim(place: CallPlace, attempt: number, claim: string): Promise<string> {
    return this.#remember(place, `claim ${attempt} ${place.id}`, claim, this.#retentionMs);
  }

  findClaim(place: CallPlace, attempt: number): Promise<string | undefined> {
    return this.#find(place, `claim ${attempt} ${place.id}`);
  }

  /** Stores how an attempt ended. An end that the store has already stays. */
  async storeEnd(place: CallPlace, attempt: number, end: StoredEnd): Promise<void> {
    await this.#remember(place, `end ${attempt} ${place.id}`, encodeEnd(end), this.#retentionMs);
  }

  /** Resolves with `undefined` when the attempt has not ended. */
  async findEnd(place: CallPlace, attempt: number): Promise<StoredEnd | undefined> {
    const text = await this.#find(place, `end ${attempt} ${place.id}`);
    return text === undefined ? undefined : decodeEnd(text);
  }

  /** Says that the engine of a running attempt lives. */
  async beat(place: CallPlace, attempt: number, number: number): Promise<void> {
    await this.#remember(place, `beat ${attempt} ${number} ${place.id}`, '', this.#retentionMs);
  }

  async hasBeat(place: CallPlace, attempt: number, number: number): Promise<boolean> {
    return (await this.#find(place, `beat ${attempt} ${number} ${place.id}`)) !== undefined;
  }

  /** Reads the epoch of a group. Records of an earlier epoch may be lost. */
  async epochOf(group: string): Promise<string> {
    return (await this.#store.get({ stream: LEDGER_STREAM, group }, NO_ITEM)).position.epoch;
  }

  /** Reads the epochs of all groups that have records of calls. */
  async epochs(): Promise<ReadonlySet<string>> {
    return new Set(await Promise.all(Array.from({ length: GROUPS }, (_, group) => this.epochOf(String(group)))));
  }

  /** Notes that an epoch exists at `now`, in Unix milliseconds. Resolves with the time of the first note. */
  async noteEpoch(epoch: string, now: number): Promise<number> {
    return Number(await this.#remember({ group: EPOCHS, caller: undefined }, `epoch ${epoch}`, String(now), LONGEST_MS));
  }

  /** Remembers a text under a key that is free. Resolves with the text that the store has under the key. */
  async #remember({ group, caller }: RecordPlace, key: string, text: string, retentionMs: number): Promise<string> {
    const once = { key, retentionMs, fingerprint: FINGERPRINT, answer: () => text };
    const changes = [{ kind: 'delete', item: NO_ITEM }] as const;
    const result = await this.#store.write({ kind: 'write', stream: LEDGER_STREAM, group, changes, batch: false, once }, caller);
    return result.kind === 'replayed' ? result.answer : text;
  }

  /** Reads a record. Only a write of a store reads one. Without a record, this write fails, and so leaves no trace. */
  async #find({ group, caller }: RecordPlace, key: string): Promise<string | undefined> {
    const once = { key, retentionMs: this.#retentionMs, fingerprint: FINGERPRINT, answer: () => '' };
    const changes = [{ kind: 'update', item: NO_ITEM, compute: notFound }] as const;
    try {
      const result = await this.#store.write({ kind: 'write', stream: LEDGER_STREAM, group, changes, batch: false, once }, caller);
      return result.kind === 'replayed' ? result.answer : undefined;
    } catch (error) {
      if (error === NOT_FOUND) return undefined;
      throw error;
    }
  }
}

function notFound(): never {
  throw NOT_FOUND;
}
