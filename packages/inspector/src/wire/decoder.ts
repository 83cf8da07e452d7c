/*
 * The page trusts no answer of the admin listener. Each answer passes a decoder, which returns a typed value or reports where the answer
 * differs from the documents. Fields that a decoder does not name are left out, so a newer engine may add some.
 *
 *   const decodeSession = object({ session_id: text, identity: optional(text), lag: number });
 *   type Session = Infer<typeof decodeSession>;
 */

/** Returns the typed value. Throws `WireMismatch` otherwise. Only `decode` calls a decoder from outside. */
export type Decoder<T> = (value: unknown, path: string) => T;

export type Infer<D> = D extends Decoder<infer T> ? T : never;

export type Decoded<T> = { readonly kind: 'ok'; readonly value: T } | { readonly kind: 'mismatch'; readonly message: string };

class WireMismatch extends Error {}

/** Returns the value as its type, or the place where it differs. */
export function decode<T>(decoder: Decoder<T>, value: unknown): Decoded<T> {
  try {
    return { kind: 'ok', value: decoder(value, 'answer') };
  } catch (error) {
    if (error instanceof WireMismatch) return { kind: 'mismatch', message: error.message };
    throw error;
  }
}

function mismatch(path: string, expected: string): never {
  throw new WireMismatch(`${path} must be ${expected}`);
}

export const text: Decoder<string> = (value, path) => (typeof value === 'string' ? value : mismatch(path, 'a text'));

export const number: Decoder<number> = (value, path) => (typeof value === 'number' ? value : mismatch(path, 'a number'));

export const flag: Decoder<boolean> = (value, path) => (typeof value === 'boolean' ? value : mismatch(path, 'true or false'));

/** Any JSON value, such as the data of an item. */
export const json: Decoder<unknown> = (value) => value;

/** A value that may be absent or `null`. */
export function optional<T>(decoder: Decoder<T>): Decoder<T | undefined> {
  return (value, path) => (value === undefined || value === null ? undefined : decoder(value, path));
}

export function oneOf<const T extends string>(...words: readonly T[]): Decoder<T> {
  return (value, path) => words.find((word) => word === value) ?? mismatch(path, `one of ${words.join(', ')}`);
}

export function list<T>(decoder: Decoder<T>): Decoder<readonly T[]> {
  return (value, path) =>
    Array.isArray(value) ? value.map((entry: unknown, index) => decoder(entry, `${path}[${index}]`)) : mismatch(path, 'a list');
}

/** An object whose keys are names, such as counts by event. The map keeps the order of the answer. */
export function mapOf<T>(decoder: Decoder<T>): Decoder<ReadonlyMap<string, T>> {
  return (value, path) => new Map(Object.entries(objectAt(value, path)).map(([key, entry]) => [key, decoder(entry, `${path}.${key}`)]));
}

export function object<S extends Readonly<Record<string, Decoder<unknown>>>>(shape: S): Decoder<{ readonly [K in keyof S]: Infer<S[K]> }> {
  const entries = Object.entries(shape);
  return (value, path) => {
    const given = objectAt(value, path);
    const read = entries.map(([key, decoder]) => [key, decoder(Object.hasOwn(given, key) ? given[key] : undefined, `${path}.${key}`)]);
    return Object.fromEntries(read) as { readonly [K in keyof S]: Infer<S[K]> };
  };
}

/** One page of a list. A page with `next` has a successor. */
export interface Page<T> {
  readonly rows: readonly T[];
  readonly next: string | undefined;
}

export function pageOf<T>(row: Decoder<T>): Decoder<Page<T>> {
  return object({ rows: list(row), next: optional(text) });
}

function objectAt(value: unknown, path: string): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : mismatch(path, 'an object');
}
