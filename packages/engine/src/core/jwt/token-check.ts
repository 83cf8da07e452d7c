import { field, LIMITS } from '@rivulet/protocol';
import type { JwtConfig } from '../../config/config.js';
import type { Clock } from '../../structures/clock.js';
import type { TurnTaker } from '../../transport/upgrade/turns.js';
import { type Claims, readClaims } from './claims.js';
import type { KeySource } from './key-source.js';
import { isSignatureRight } from './signature-check.js';
import { GrantReader, type TokenGrants } from './token-grants.js';
import { readParts, readPayload } from './token-parts.js';
import type { TokenRefusal } from './token-refusal.js';

/** A token that lets its holder in. */
export interface CheckedToken {
  /** The `sub` of the token. */
  readonly identity: string;
  /** The `exp` of the token in Unix milliseconds. */
  readonly expiresAtMs: number;
  readonly claims: Claims;
  readonly grants: TokenGrants;
}

export type TokenResult =
  | { readonly kind: 'right'; readonly token: CheckedToken }
  /** `identity`: the `sub`, if the signature is right. */
  | { readonly kind: 'refused'; readonly reason: TokenRefusal; readonly identity?: string | undefined }
  /**
   * `jwt_keys_unavailable`: the key server does not answer, and no key is known by which the token could be checked.
   * `jwt_checks_busy`: too many other tokens are to be checked.
   */
  | { readonly kind: 'undecided'; readonly reason: 'jwt_keys_unavailable' | 'jwt_checks_busy' };

/** The client of a token that comes from no request. */
const NOBODY: TurnTaker = { addressGroup: '' };

/**
 * Checks the tokens of one listener, in this order: form and header, key, signature, claims, grants. Nothing of the payload counts before
 * the signature is right.
 */
export class TokenCheck {
  readonly #config: JwtConfig;
  readonly #algorithms: ReadonlySet<string>;
  readonly #keys: KeySource;
  readonly #grants: GrantReader;
  readonly #clock: Clock;

  constructor(config: JwtConfig, keys: KeySource, clock: Clock) {
    this.#config = config;
    this.#algorithms = new Set(config.algorithms);
    this.#keys = keys;
    this.#grants = new GrantReader(config.claim, config.grants);
    this.#clock = clock;
  }

  /** `taker`: the request of the token. Many tokens of one client hold up no other client. */
  async check(text: string, taker: TurnTaker = NOBODY): Promise<TokenResult> {
    const parts = readParts(text, this.#algorithms);
    if (typeof parts === 'string') return refused(parts);
    const lookup = await this.#keys.find(parts.algorithm, parts.keyId);
    if (lookup.kind === 'unavailable') return { kind: 'undecided', reason: 'jwt_keys_unavailable' };
    if (lookup.kind === 'unknown') return refused('key_unknown');
    const isRight = await isSignatureRight(parts, lookup.key, taker);
    if (isRight === 'busy') return { kind: 'undecided', reason: 'jwt_checks_busy' };
    if (!isRight) return refused('signature_wrong');
    const claims = readPayload(parts.payload);
    if (claims === undefined) return refused('claims_malformed');
    const registered = readClaims(claims, this.#config, this.#clock.now());
    if (typeof registered === 'string') return { ...refused(registered), identity: subjectOf(claims) };
    const grants = this.#grants.read(claims, registered.identity);
    if (typeof grants === 'string') return { ...refused(grants), identity: registered.identity };
    return { kind: 'right', token: { ...registered, claims, grants } };
  }
}

/** Returns the `sub` if it can be an identity. */
function subjectOf(claims: Claims): string | undefined {
  const subject = field(claims, 'sub');
  return typeof subject === 'string' && Buffer.byteLength(subject) <= LIMITS.identityBytes ? subject : undefined;
}

function refused(reason: TokenRefusal): Extract<TokenResult, { kind: 'refused' }> {
  return { kind: 'refused', reason };
}
