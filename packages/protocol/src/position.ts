import { ID_BYTES } from './shared-limits.js';

/**
 * A place in the history of one group. `offset` grows by one with every change and event of the group; `epoch` names an unbroken
 * history and changes only when continuity can't be proven. Offsets of different epochs say nothing about each other.
 */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** The opaque string form, `<epoch>:<offset>`. */
export function formatPosition(position: Position): string {
  return `${position.epoch}:${position.offset}`;
}

/** Reads the string form; `undefined` when it is malformed. */
export function parsePosition(text: string): Position | undefined {
  const colon = text.lastIndexOf(':');
  if (colon <= 0 || text.length > ID_BYTES) return undefined;
  const digits = text.slice(colon + 1);
  if (!/^\d{1,16}$/.test(digits)) return undefined;
  const offset = Number(digits);
  return Number.isSafeInteger(offset) ? { epoch: text.slice(0, colon), offset } : undefined;
}
