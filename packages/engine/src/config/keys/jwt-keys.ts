import { z } from 'zod';
import { convertedKey, type Fields, type Keys, key, optionalKey, specialKey } from './key.js';
import { milliseconds } from './value-schemas.js';

/** Algorithms with a shared secret. */
export const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
/** Algorithms with a pair of keys. The engine has the public one only. */
export const KEY_PAIR_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const;
export const JWT_ALGORITHMS = [...SECRET_ALGORITHMS, ...KEY_PAIR_ALGORITHMS] as const;

export type SecretAlgorithm = (typeof SECRET_ALGORITHMS)[number];
export type KeyPairAlgorithm = (typeof KEY_PAIR_ALGORITHMS)[number];
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number];

const ALGORITHMS_BOUND = `a list of one or more of ${JWT_ALGORITHMS.join(', ')}`;
const algorithms = z
  .array(z.enum(JWT_ALGORITHMS, { error: ALGORITHMS_BOUND }), { error: ALGORITHMS_BOUND })
  .min(1, { error: ALGORITHMS_BOUND })
  .max(JWT_ALGORITHMS.length, { error: ALGORITHMS_BOUND })
  .describe(ALGORITHMS_BOUND);

const TEXT_BOUND = 'a text of 1 to 1024 characters, or no such key';
const text = (bound: string) => z.string({ error: bound }).min(1, { error: bound }).max(1_024, { error: bound });

const AUDIENCE_BOUND = 'a text of 1 to 1024 characters or a list of at most 16, or no such key';
const audience = z
  .union([text(AUDIENCE_BOUND), z.array(text(AUDIENCE_BOUND), { error: AUDIENCE_BOUND }).min(1).max(16)], { error: AUDIENCE_BOUND })
  .optional()
  .describe(AUDIENCE_BOUND);

const CLAIM_BOUND = 'a name of 1 to 256 characters';
const claim = z
  .string({ error: CLAIM_BOUND })
  .min(1, { error: CLAIM_BOUND })
  .max(256, { error: CLAIM_BOUND })
  .default('rivulet')
  .describe(CLAIM_BOUND);

/** Bytes that a secret needs at least: as many as the hash of its algorithm (RFC 7518, section 3.2). */
export const SECRET_BYTES = { HS256: 32, HS384: 48, HS512: 64 } as const satisfies Record<SecretAlgorithm, number>;
export const SECRET_BOUND = 'a text of at least 32 bytes for HS256, 48 for HS384 and 64 for HS512, at most 1024, or no such key';
export const PUBLIC_KEY_BOUND = 'a public key or certificate in PEM, or the path of a file with it, or no such key';
export const JWKS_URL_BOUND = 'an https URL, or an http URL of this machine, or no such key';
export const GRANTS_BOUND = 'lists of at most 100 patterns: join, call, lease';

/** Keys of `auth.jwt`. `read-jwt.ts` checks the keys of signatures themselves, because no message may show a secret. */
export const JWT_KEYS = {
  algorithms: key('algorithms', algorithms, 'Algorithms of signatures that the engine takes. All need the same kind of key'),
  secret: specialKey(
    'secret',
    z.unknown().optional().describe(SECRET_BOUND),
    'Shared secret of `HS256`, `HS384` and `HS512`. Its holder can make tokens, so take it from the environment',
  ),
  publicKey: specialKey(
    'public_key',
    z.unknown().optional().describe(PUBLIC_KEY_BOUND),
    'Public key of the other algorithms. The engine reads a file at its start and after SIGHUP',
  ),
  jwksUrl: specialKey(
    'jwks_url',
    z.unknown().optional().describe(JWKS_URL_BOUND),
    'Address of the public keys of an identity provider ([its bounds](jwt.md#a-key-server))',
  ),
  issuer: optionalKey('issuer', text(TEXT_BOUND).optional().describe(TEXT_BOUND), 'Value that `iss` must have'),
  audience: convertedKey('audience', audience, 'Values of which `aud` must have one', {
    read: (value): readonly string[] | undefined => (typeof value === 'string' ? [value] : value),
    write: (field) => field,
  }),
  leewayMs: key(
    'leeway_ms',
    milliseconds(60_000, { min: 0, max: 300_000 }),
    'Time by which `nbf` may be in the future, because clocks differ. `exp` has no leeway',
  ),
  claim: key('claim', claim, 'Claim with the grants of a token'),
  grants: specialKey(
    'grants',
    z.unknown().optional().describe(GRANTS_BOUND),
    'Grants of tokens without that claim ([below](#grants)). Without both, a token allows nothing',
  ),
} as const satisfies Keys;

/** Where the keys of signatures come from. */
export type JwtKeySource =
  | { readonly kind: 'secret'; readonly secret: string }
  /** `pem`: a public key as SPKI. */
  | { readonly kind: 'public_key'; readonly pem: string }
  | { readonly kind: 'jwks_url'; readonly url: string };

/** Patterns that may contain `{sub}`, the subject of the token. */
export interface JwtGrants {
  readonly join: readonly string[];
  readonly call: readonly string[];
  readonly lease: readonly string[];
}

/** How a listener checks tokens without an auth function. */
export interface JwtConfig extends Fields<typeof JWT_KEYS> {
  readonly keys: JwtKeySource;
  /** Grants of tokens without the claim; `undefined`: such tokens allow nothing. */
  readonly grants: JwtGrants | undefined;
}
