import { z } from 'zod';

// Schemas for fields of built-in functions. SDKs write `null` for an absent value (spec SM §7.9), so optional fields take it.

export function text() {
  return z.string({ error: 'must be a string' });
}

export function optionalText() {
  return text().nullish();
}

/** Schema of a flag. Absent and `null` mean false. */
export function flag() {
  return z.boolean({ error: 'must be true or false' }).nullish();
}

export function count(most: number, least = 1) {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.number({ error }).int({ error }).min(least, { error }).max(most, { error }).nullish();
}

/** Schema of any JSON value. */
export function json() {
  return z.unknown();
}

/** Schema of a required JSON value. It may be `null`. */
export function requiredJson() {
  return z.unknown().refine((value) => value !== undefined, { error: 'is required' });
}
