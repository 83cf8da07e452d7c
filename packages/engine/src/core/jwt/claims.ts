import { LIMITS, optionalField, utf8Length } from '@rivulet/protocol';
import type { JwtConfig } from '../../config/config.js';
import type { TokenRefusal } from './token-refusal.js';

export type Claims = Readonly<Record<string, unknown>>;

export interface RegisteredClaims {
  /** `sub`: the name of the user. */
  readonly identity: string;
  /** `exp` in Unix milliseconds. */
  readonly expiresAtMs: number;
}

/**
 * Checks the claims of RFC 7519. `exp` has no leeway: a session ends at it, so nothing is delivered after it. `nbf` has one, because the
 * clock of the issuer may be ahead.
 */
export function readClaims(
  claims: Claims,
  { issuer, audience, leewayMs }: Pick<JwtConfig, 'issuer' | 'audience' | 'leewayMs'>,
  nowMs: number,
): RegisteredClaims | TokenRefusal {
  const expiry = optionalField(claims, 'exp');
  if (expiry === undefined) return 'expiry_missing';
  const expiresAtMs = millisecondsOf(expiry);
  const notBefore = optionalField(claims, 'nbf');
  const notBeforeMs = notBefore === undefined ? undefined : millisecondsOf(notBefore);
  if (expiresAtMs === undefined || (notBefore !== undefined && notBeforeMs === undefined)) return 'claims_malformed';
  if (expiresAtMs <= nowMs) return 'token_expired';
  if (notBeforeMs !== undefined && notBeforeMs > nowMs + leewayMs) return 'token_not_valid_yet';
  if (issuer !== undefined && optionalField(claims, 'iss') !== issuer) return 'issuer_wrong';
  if (audience !== undefined && !namesOne(optionalField(claims, 'aud'), audience)) return 'audience_wrong';
  const identity = optionalField(claims, 'sub');
  if (identity === undefined) return 'subject_missing';
  if (typeof identity !== 'string') return 'claims_malformed';
  if (identity === '' || utf8Length(identity) > LIMITS.identityBytes || /[\p{Cc}\p{Surrogate}]/u.test(identity)) return 'subject_malformed';
  return { identity, expiresAtMs };
}

/** Returns seconds as milliseconds, or `undefined` if they are no number that a date can have. */
function millisecondsOf(seconds: unknown): number | undefined {
  if (typeof seconds !== 'number') return undefined;
  const milliseconds = Math.floor(seconds * 1_000);
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

function namesOne(given: unknown, wanted: readonly string[]): boolean {
  const values: readonly unknown[] = Array.isArray(given) ? given : [given];
  return values.some((value) => typeof value === 'string' && wanted.includes(value));
}
