import { RivuletError } from '@rivulet/protocol';
import { requireCapacity, requireSame } from '../../shared/write-plan.js';
import type { GroupRef, Once } from '../../store.js';
import type { Table } from '../env/environment.js';
import { decodeKey, encodeKey, encodeText, LAST_NUMBER, numberAt, numbersKey } from './records.js';

const NUMBER_BYTES = 6;

interface KeyTables {
  readonly keys: Table;
  readonly key_ages: Table;
}

/** Numbers of all remembered keys. */
export interface KeyTotals {
  keys: number;
  /** Bytes of their records. */
  keyBytes: number;
}

/**
 * The idempotency keys as one write transaction changes them. A write sees the keys of earlier writes of the same transaction. `totals` is
 * a copy; the caller takes it over when the transaction is durable.
 */
export class KeyLedger {
  readonly #tables: KeyTables;
  readonly totals: KeyTotals;
  /** The totals changed. */
  changed = false;

  constructor(tables: KeyTables, { keys, keyBytes }: KeyTotals) {
    this.#tables = tables;
    this.totals = { keys, keyBytes };
  }

  /** Returns the answer of the write that used the key; `undefined` when the key is free. Throws INVALID_ARGUMENTS for another write. */
  find(ref: GroupRef, once: Once, now: number): string | undefined {
    const key = keyOf(ref, once.key);
    const record = this.#tables.keys.get(key);
    const known = record === undefined ? undefined : decodeKey(key, record);
    if (known === undefined || known.until <= now) return undefined;
    requireSame(once, known.fingerprint);
    return known.answer;
  }

  /**
   * Checks that there is space for an answer, and throws OVERLOADED otherwise. Call `remember` of the result when the write is executed.
   */
  prepare(ref: GroupRef, once: Once, answer: string, now: number): { remember(): void } {
    const key = keyOf(ref, once.key);
    const until = Math.min(now + once.retentionMs, LAST_NUMBER - 1);
    const record = encodeKey(key, { until, fingerprint: once.fingerprint, answer });
    requireCapacity(this.totals.keys, this.totals.keyBytes, record.length);
    return { remember: () => this.#put(key, record, until) };
  }

  #put(key: Buffer, record: Buffer, until: number): void {
    const { keys, key_ages: ages } = this.#tables;
    const old = keys.get(key);
    if (old !== undefined) {
      // The retention of the old key has ended, and no sweep has removed it yet.
      ages.remove(ageKey(decodeKey(key, old).until, key));
      this.#count(-1, -old.length);
    }
    const age = ageKey(until, key);
    keys.put(key, record);
    ages.put(age, encodeText(age, ''));
    this.#count(1, record.length);
  }

  /** Removes up to `atOnce` keys whose retention ended at `now` or before. `more` says that others may be left. */
  sweep(now: number, atOnce: number): { readonly damaged: number; readonly more: boolean } {
    const { keys, key_ages: ages } = this.#tables;
    const old = [...ages.getRange({ end: numbersKey(now + 1), limit: atOnce })];
    let damaged = 0;
    for (const { key: age } of old) {
      ages.remove(age);
      const key = age.subarray(NUMBER_BYTES);
      const record = keys.get(key);
      if (record === undefined) continue;
      try {
        if (decodeKey(key, record).until !== numberAt(age, 0)) continue;
      } catch (error) {
        if (!(error instanceof RivuletError) || error.code !== 'CORRUPT_ITEM') throw error;
        damaged++;
      }
      keys.remove(key);
      this.#count(-1, -record.length);
    }
    return { damaged, more: old.length === atOnce };
  }

  #count(keys: number, bytes: number): void {
    this.totals.keys += keys;
    this.totals.keyBytes += bytes;
    this.changed = true;
  }
}

/** Ids and keys have no control characters, so 0x00 separates them without doubt. */
function keyOf({ stream, group }: GroupRef, key: string): Buffer {
  return Buffer.from(`${stream}\u0000${group}\u0000${key}`);
}

function ageKey(until: number, key: Buffer): Buffer {
  return Buffer.concat([numbersKey(until), key]);
}
