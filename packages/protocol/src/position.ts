import { LIMITS } from './limits.js';

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
  if (colon <= 0 || text.length > LIMITS.idBytes) return undefined;
  const digits = text.slice(colon + 1);
  if (!/^\d{1,16}$/.test(digits)) return undefined;
  const offset = Number(digits);
  return Number.isSafeInteger(offset) ? { epoch: text.slice(0, colon), offset } : undefined;
}

/** Where a client says that it stands. One that can't be read is answered as a position that can't be honoured. */
export type Since = Position | 'malformed';

/** What a client says in `since`: absent, a position, or something that is none. */
export function readSince(value: unknown): Since | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? (parsePosition(value) ?? 'malformed') : 'malformed';
}
