import { createHash } from 'node:crypto';
import type { ShownItem } from './history/op.js';

/** States up to this size are recorded with their items, so that a report can say what differs. */
const SHOWN_ITEMS = 64;

/** What a history says of a state: how many items, in their order, and what they are. */
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
