import { z } from 'zod';

// Fields of the input of built-in functions. SDKs write `null` for what is absent (spec SM §7.9), so optional fields take it.

export function text() {
  return z.string({ error: 'must be a string' });
}

export function optionalText() {
  return text().nullish();
}

/** `true` or `false`; absent and `null` mean false. */
export function flag() {
  return z.boolean({ error: 'must be true or false' }).nullish();
}

export function count(most: number, least = 1) {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.number({ error }).int({ error }).min(least, { error }).max(most, { error }).nullish();
}

/** Any JSON value. */
export function json() {
  return z.unknown();
}

/** A JSON value that must be there; it may be `null`. */
export function requiredJson() {
  return z.unknown().refine((value) => value !== undefined, { error: 'is required' });
}
