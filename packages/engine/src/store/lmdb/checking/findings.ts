/**
 * One thing that is wrong with a store.
 *
 * - `page`: a page of the data file cannot be used. The engine does not start, because LMDB trusts its pages and could crash.
 * - `record`: a record fails its checksum. It costs this record only.
 * - `missing`: another table names a record that does not exist.
 * - `leftover`: another table names an older state of an item that was lost and written again. Reads ignore it.
 * - `count`: a group counts its bytes wrongly, so its bound `max_bytes` works too early or too late. No value is wrong.
 * - `contradiction`: records that belong together differ. One of them is old, so the engine does not start.
 */
export interface Finding {
  readonly kind: 'page' | 'record' | 'missing' | 'leftover' | 'count' | 'contradiction';
  /** A table, `names`, `free list`, `meta` or `file`. In a `missing` one, the table without the record. */
  readonly table: string;
  readonly page?: number;
  readonly stream?: string;
  readonly group?: string;
  readonly item?: string;
  readonly problem: string;
}

/**
 * The cost of findings with which the engine starts. `records`: some records are not served. `counts`: only the counts of groups are wrong.
 * `nothing`: reads ignore what was found.
 */
export type FindingsCost = 'records' | 'counts' | 'nothing';

/** Findings that are kept. Others are counted. */
const KEPT = 1_000;

/** The findings of one check. */
export class Findings {
  readonly list: Finding[] = [];
  count = 0;
  readonly #missing = new Map<string, number>();
  readonly #damaged = new Map<string, number>();
  #isBroken = false;
  #hasWrongCount = false;

  add(finding: Finding): void {
    this.count++;
    if (this.list.length < KEPT) this.list.push(finding);
    const { kind, table } = finding;
    if (kind === 'page' || kind === 'contradiction') this.#isBroken = true;
    if (kind === 'count') this.#hasWrongCount = true;
    if (kind === 'missing') this.#missing.set(table, (this.#missing.get(table) ?? 0) + 1);
    if (kind === 'record') this.#damaged.set(table, (this.#damaged.get(table) ?? 0) + 1);
  }

  get cost(): FindingsCost {
    if (this.#isBroken || this.#missing.size > 0 || this.#damaged.size > 0) return 'records';
    return this.#hasWrongCount ? 'counts' : 'nothing';
  }

  /** Number of records of a table that fail their checksum. */
  damagedIn(table: string): number {
    return this.#damaged.get(table) ?? 0;
  }

  /**
   * The engine must not start: it could crash, return old values, or hide records without a word. A flipped bit in a key makes one record
   * fail its checksum and another one missing, so a table may miss as many records as it has damaged ones.
   */
  get areBlocking(): boolean {
    return this.#isBroken || [...this.#missing].some(([table, missing]) => missing > this.damagedIn(table));
  }
}
