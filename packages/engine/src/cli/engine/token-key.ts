import { constants, createHmac, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { JwtAlgorithm, JwtConfig } from '../../config/config.js';
import { EXIT } from '../command/exit-codes.js';
import { CommandFailure } from '../command/failure.js';

/** The key with which a token is signed. */
export interface TokenKey {
  readonly algorithm: JwtAlgorithm;
  /** Returns the signature of a text as bytes. */
  sign(signed: string): Buffer;
}

/** Algorithms of a private key, the usual one first. An RSA key has several. */
const OF_CURVE: Readonly<Record<string, JwtAlgorithm>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };
const OF_RSA: readonly JwtAlgorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const OF_SECRET: readonly JwtAlgorithm[] = ['HS256', 'HS384', 'HS512'];

/** Returns the key of a shared secret. It uses the first algorithm of the listener that fits, else HS256. */
export function secretKey(secret: string, listed: JwtConfig['algorithms'] = []): TokenKey {
  const algorithm = chosen(OF_SECRET, listed);
  return { algorithm, sign: (signed) => createHmac(hashOf(algorithm), secret).update(signed).digest() };
}

/** Returns the key in a file with a private key in PEM. Throws a failure for any other file. */
export function privateKey(file: string, cwd: string, listed: JwtConfig['algorithms'] = []): TokenKey {
  const text = readFileSync(resolve(cwd, file), 'utf8');
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch {
    throw new CommandFailure('INVALID_ARGUMENTS', `${file} is no private key in PEM without a passphrase`, EXIT.usage);
  }
  const algorithm = chosen(algorithmsOf(key, file), listed);
  const padding = algorithm.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {};
  const hash = algorithm === 'EdDSA' ? null : hashOf(algorithm);
  return { algorithm, sign: (signed) => sign(hash, Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363', ...padding }) };
}

function algorithmsOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject, file: string): readonly JwtAlgorithm[] {
  if (type === 'ed25519') return ['EdDSA'];
  if (type === 'rsa') return OF_RSA;
  const ofCurve = OF_CURVE[details?.namedCurve ?? ''];
  if (ofCurve !== undefined) return [ofCurve];
  throw new CommandFailure(
    'INVALID_ARGUMENTS',
    `${file} has a key of a kind that no algorithm uses; make an RSA, P-256 or Ed25519 key`,
    EXIT.usage,
  );
}

function chosen(possible: readonly JwtAlgorithm[], listed: readonly JwtAlgorithm[]): JwtAlgorithm {
  return listed.find((each) => possible.includes(each)) ?? (possible[0] as JwtAlgorithm);
}

function hashOf(algorithm: JwtAlgorithm): string {
  return `sha${algorithm.slice(2)}`;
}
