import type { Table } from '../env/environment.js';

/** The tables of a store; `records.ts` describes their keys and records. */
export interface Tables {
  readonly heads: Table;
  readonly items: Table;
  readonly order: Table;
  readonly versions: Table;
  readonly tombstones: Table;
  readonly expiries: Table;
  readonly keys: Table;
  readonly key_ages: Table;
  readonly meta: Table;
}

export const TABLES = [
  'heads',
  'items',
  'order',
  'versions',
  'tombstones',
  'expiries',
  'keys',
  'key_ages',
  'meta',
] as const satisfies readonly (keyof Tables)[];
