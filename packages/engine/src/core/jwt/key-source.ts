import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { JwtAlgorithm, JwtConfig } from '../../config/config.js';

export type KeyLookup =
  | { readonly kind: 'key'; readonly key: KeyObject }
  /** There is no such key, so the token is refused. */
  | { readonly kind: 'unknown' }
  /** Nobody knows now, because the key server does not answer. The client should try again later. */
  | { readonly kind: 'unavailable' };

/** The keys with which tokens are checked. Each key is imported once. */
export interface KeySource {
  find(algorithm: JwtAlgorithm, keyId: string | undefined): KeyLookup | Promise<KeyLookup>;
  /**
   * Returns a number that changes when a token that was right may be wrong, because keys were replaced. `undefined`: no key is known now.
   * The call counts as a use of the keys, so that old ones are fetched again.
   */
  generation(): number | undefined;
  /** Fetches the keys now, before a token needs them. The bound on fetches holds. */
  renew(): void;
  close(): void;
}

/** The one key of a configuration. The id in a token has no effect. */
export class FixedKey implements KeySource {
  readonly #lookup: KeyLookup;

  constructor(keys: Exclude<JwtConfig['keys'], { readonly kind: 'jwks_url' }>) {
    this.#lookup = { kind: 'key', key: keys.kind === 'secret' ? createSecretKey(keys.secret, 'utf8') : createPublicKey(keys.pem) };
  }

  find(): KeyLookup {
    return this.#lookup;
  }

  generation(): number {
    return 0;
  }

  renew(): void {}

  close(): void {}
}
