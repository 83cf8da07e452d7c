import { ID_BYTES } from './shared-limits.js';

/**
 * A position in the history of one group. `offset` grows by one with each change and event of the group. `epoch` names an unbroken history.
 * It changes only when the engine can't prove that the history is unbroken. Offsets of different epochs can't be compared.
 */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** Returns a position as text, `<epoch>:<offset>`. Clients treat the text as opaque. */
export function formatPosition(position: Position): string {
  return `${position.epoch}:${position.offset}`;
}

/** Reads the text of a position. Returns `undefined` if it is malformed. */
export function parsePosition(text: string): Position | undefined {
  const colon = text.lastIndexOf(':');
  if (colon <= 0 || text.length > ID_BYTES) return undefined;
  const digits = text.slice(colon + 1);
  if (!/^\d{1,16}$/.test(digits)) return undefined;
  const offset = Number(digits);
  return Number.isSafeInteger(offset) ? { epoch: text.slice(0, colon), offset } : undefined;
}

/** The position that a client sends in `since`. The engine answers a malformed one like a position from which it can't continue. */
export type Since = Position | 'malformed';

/** Reads the value of `since`. Returns `undefined` if it is absent. */
export function readSince(value: unknown): Since | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? (parsePosition(value) ?? 'malformed') : 'malformed';
}
