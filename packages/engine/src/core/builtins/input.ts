import { field, isJsonObject, type JsonObject, type JsonText, RivuletError } from '@rivulet/protocol';
import type { Call } from '../fabric/invocation.js';

/**
 * Returns the input of a built-in function that takes an object. Throws `deserialization_error`, as all readers below do, and names the
 * field.
 */
export function readInput(call: Call): JsonObject {
  const { value } = call.payload;
  if (!isJsonObject(value)) throw mismatch('the input must be an object');
  return value;
}

/** Returns a value to store or publish, as text. It refuses numbers that JSON text can't carry exactly, and never rounds them. */
export function readData(call: Call, input: JsonObject, whenAbsent?: JsonText): JsonText {
  requireExact(call);
  if (!Object.hasOwn(input, 'data')) {
    if (whenAbsent !== undefined) return whenAbsent;
    throw mismatch('data is required');
  }
  return JSON.stringify(input.data);
}

export function requireExact(call: Call): void {
  if (call.inexactNumbers === true)
    throw mismatch('a number is beyond what JSON carries exactly (±(2^53−1), or overflows); send it as a string');
}

/** Returns an optional whole number in a range; `undefined` when it is absent. */
export function readCount(input: JsonObject, key: string, most: number, least = 1): number | undefined {
  const value = field(input, key) ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    throw mismatch(`${key} must be a whole number from ${least} to ${most}`);
  return value;
}

/** Returns an optional flag. Absent and `null` are `false`. */
export function readFlag(input: JsonObject, key: string): boolean {
  const value = field(input, key) ?? false;
  if (typeof value !== 'boolean') throw mismatch(`${key} must be true or false`);
  return value;
}

/** Returns an optional text; `undefined` when it is absent or `null`. */
export function readText(input: JsonObject, key: string): string | undefined {
  const value = field(input, key) ?? undefined;
  if (value !== undefined && typeof value !== 'string') throw mismatch(`${key} must be a string`);
  return value;
}

export function mismatch(message: string): RivuletError {
  return new RivuletError('deserialization_error', message);
}
