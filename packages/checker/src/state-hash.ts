import { createHash } from 'node:crypto';
import type { ShownItem } from './history/op.js';

/** Largest state that a history records with all its items, so that a report can show the difference. */
const SHOWN_ITEMS = 64;

/** Describes a state for a history: the number of items, a hash of all items in their order, and the items of a small state. */
export function describeState(items: readonly ShownItem[]): {
  readonly n: number;
  readonly hash: string;
  readonly items?: readonly ShownItem[];
} {
  const base = { n: items.length, hash: hashOf(items) };
  return items.length <= SHOWN_ITEMS ? { ...base, items } : base;
}

export function hashOf(items: readonly ShownItem[]): string {
  return createHash('sha1').update(JSON.stringify(items)).digest('base64url').slice(0, 16);
}
