import { type JsonObject, LIMITS, optionalField, utf8Length } from '@rivulet/protocol';

/** Returns whether an answer refuses. An answer without `unauthorized`, or with `false` or `null` there, lets the caller in. */
export function refuses(answer: JsonObject): boolean {
  const unauthorized = optionalField(answer, 'unauthorized');
  return unauthorized !== undefined && unauthorized !== false;
}

/** Returns the identity that an auth answer gives, `undefined` when it gives none, and `malformed` when it has the wrong shape. */
export function readIdentity(answer: JsonObject): { readonly identity: string | undefined } | 'malformed' {
  const identity = optionalField(answer, 'identity');
  if (identity === undefined) return { identity: undefined };
  if (typeof identity !== 'string' || utf8Length(identity) > LIMITS.identityBytes) return 'malformed';
  return { identity };
}

/**
 * Returns when an auth answer ends, in Unix milliseconds; `undefined` when it never ends; `malformed` when the value has the wrong shape.
 */
export function readExpiry(answer: JsonObject): { readonly expiresAtMs: number | undefined } | 'malformed' {
  const expiresAtMs = optionalField(answer, 'expires_at_ms');
  if (expiresAtMs === undefined) return { expiresAtMs };
  if (typeof expiresAtMs !== 'number' || !Number.isSafeInteger(expiresAtMs)) return 'malformed';
  return { expiresAtMs };
}
