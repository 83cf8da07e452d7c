import { isDeepStrictEqual } from 'node:util';

/** The server did not do what a rule says. `expected` and `seen` are texts for the report. */
export class Mismatch extends Error {
  readonly expected: string;
  readonly seen: string;

  constructor(what: string, expected: string, seen: string) {
    super(what);
    this.expected = expected;
    this.seen = seen;
  }
}

/** Throws a `Mismatch` unless both are deeply equal. */
export function same(seen: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(seen, expected)) throw new Mismatch(what, show(expected), show(seen));
}

/** Throws a `Mismatch` unless the condition holds. */
export function holds(condition: boolean, what: string, seen: unknown): void {
  if (!condition) throw new Mismatch(what, what, show(seen));
}

/** Returns the value as at most 400 characters of JSON; `nothing` for undefined. */
export function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
