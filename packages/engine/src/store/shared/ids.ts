import { LIMITS, RivuletError } from '@rivulet/protocol';

/** Control characters U+0000–001F; one character class, linear. */
const CONTROL = /[\u0000-\u001f]/;

/** Whether a stream name, group id or item id may be used: at most 256 UTF-8 bytes, well-formed, no control characters (spec ST §2). */
export function isValidId(id: string): boolean {
  // A UTF-16 unit takes at most 3 bytes and at least 1: the byte count matters only between the two.
  if (id.length > LIMITS.idBytes) return false;
  if (id.length * 3 > LIMITS.idBytes && Buffer.byteLength(id) > LIMITS.idBytes) return false;
  return !CONTROL.test(id) && isWellFormed(id);
}

export function requireId(id: string, field: string): void {
  if (isValidId(id)) return;
  throw new RivuletError(
    'INVALID_ID',
    `${field} must be at most ${LIMITS.idBytes} UTF-8 bytes of well-formed text without control characters`,
  );
}

function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
