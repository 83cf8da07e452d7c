import { createPublicKey, type KeyObject } from 'node:crypto';
import { field, isJsonObject, LIMITS, parseJson, scanJson } from '@rivulet/protocol';
import type { JwtAlgorithm } from '../../config/config.js';

type Jwk = Readonly<Record<string, unknown>>;

/** Members of a public key, by its type. Nothing else of a key is read, above all no private member. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'] };
const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521', EdDSA: 'Ed25519' };
const RSA_BITS = 2_048;

/**
 * The keys of a key server by their ids. A key is imported at its first use, and once: the import of a P-521 key takes a millisecond. A key
 * whose members are no key does not count.
 */
export class KeySet {
  readonly #keys: ReadonlyMap<string, readonly Jwk[]>;
  readonly #imported = new Map<Jwk, KeyObject | undefined>();

  constructor(keys: ReadonlyMap<string, readonly Jwk[]>) {
    this.#keys = keys;
  }

  /** Returns whether there is a key at all. */
  get isUsable(): boolean {
    return [...this.#keys.keys()].some((keyId) => this.has(keyId));
  }

  /** Returns whether a key has this id, whatever it is for. */
  has(keyId: string): boolean {
    return this.#keys.get(keyId)?.some((jwk) => this.#import(jwk) !== undefined) === true;
  }

  /** Returns the key with this id that can check signatures of an algorithm. */
  find(algorithm: JwtAlgorithm, keyId: string): KeyObject | undefined {
    const fitting = this.#keys.get(keyId)?.filter((jwk) => fits(jwk, algorithm)) ?? [];
    return fitting.map((jwk) => this.#import(jwk)).find((key) => key !== undefined);
  }

  #import(jwk: Jwk): KeyObject | undefined {
    if (!this.#imported.has(jwk)) this.#imported.set(jwk, importKey(jwk));
    return this.#imported.get(jwk);
  }
}

export type KeySetReading = { readonly kind: 'keys'; readonly keys: KeySet } | { readonly kind: 'wrong'; readonly reason: string };

/**
 * Reads the document of a key server. Keys without an id, for encryption, of an unknown type, or with members that are no key are ignored,
 * as RFC 7517 says. A document without a usable key is wrong, so the keys before it stay.
 */
export function readKeySet(text: string): KeySetReading {
  const document: unknown = scanJson(text).kind === 'ok' ? parseJson(text) : undefined;
  const list = isJsonObject(document) ? field(document, 'keys') : undefined;
  if (!Array.isArray(list)) return { kind: 'wrong', reason: 'the document is no JSON object with a list of keys' };
  if (list.length > LIMITS.jwtKeys) return { kind: 'wrong', reason: `the document has more than ${LIMITS.jwtKeys} keys` };
  const byId = new Map<string, Jwk[]>();
  for (const jwk of list) {
    const keyId: unknown = isJsonObject(jwk) && isForSignatures(jwk) ? field(jwk, 'kid') : undefined;
    if (typeof keyId !== 'string' || keyId === '') continue;
    const same = byId.get(keyId);
    if (same === undefined) byId.set(keyId, [jwk]);
    else same.push(jwk);
  }
  const keys = new KeySet(byId);
  return keys.isUsable ? { kind: 'keys', keys } : { kind: 'wrong', reason: 'the document has no key for signatures with a kid' };
}

function isForSignatures(jwk: Jwk): boolean {
  const [type, use, operations] = [field(jwk, 'kty'), field(jwk, 'use'), field(jwk, 'key_ops')];
  if (typeof type !== 'string' || !Object.hasOwn(MEMBERS, type)) return false;
  return (use === undefined || use === 'sig') && (operations === undefined || (Array.isArray(operations) && operations.includes('verify')));
}

function fits(jwk: Jwk, algorithm: JwtAlgorithm): boolean {
  const own = field(jwk, 'alg');
  if (own !== undefined && own !== algorithm) return false;
  const curve = CURVES[algorithm];
  if (curve === undefined) return /^[RP]S/.test(algorithm) && field(jwk, 'kty') === 'RSA';
  return field(jwk, 'kty') === (algorithm === 'EdDSA' ? 'OKP' : 'EC') && field(jwk, 'crv') === curve;
}

function importKey(jwk: Jwk): KeyObject | undefined {
  const type = String(field(jwk, 'kty'));
  const members = (MEMBERS[type] ?? []).map((name) => [name, field(jwk, name)]);
  if (members.some(([, value]) => typeof value !== 'string')) return undefined;
  try {
    const key = createPublicKey({ key: { kty: type, ...Object.fromEntries(members) }, format: 'jwk' });
    const bits = key.asymmetricKeyDetails?.modulusLength;
    return bits !== undefined && bits < RSA_BITS ? undefined : key;
  } catch {
    // The members are no key, such as a point that is not on its curve.
    return undefined;
  }
}
