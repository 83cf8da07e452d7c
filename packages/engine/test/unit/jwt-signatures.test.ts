import { generateKeyPairSync } from 'node:crypto';
import { SECRET } from '@rivulet/testkit/jwt-tokens';
import { Random } from '@rivulet/testkit/random';
import { CompactSign } from 'jose';
import { expect, it } from 'vitest';
import type { JwtAlgorithm } from '../../src/config/config.js';
import { JWT_ALGORITHMS } from '../../src/config/keys/jwt-keys.js';
import { FixedKey } from '../../src/core/jwt/key-source.js';
import { isSignatureRight } from '../../src/core/jwt/signature-check.js';
import { readParts } from '../../src/core/jwt/token-parts.js';

const TAKER = { addressGroup: '' };

const RSA = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const PAIRS = {
  RS: RSA,
  PS: RSA,
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: generateKeyPairSync('ed25519'),
};

/** Returns the keys of an algorithm: to sign with `jose`, and for the engine. */
function keysOf(algorithm: JwtAlgorithm) {
  if (algorithm.startsWith('HS')) {
    const key = new FixedKey({ kind: 'secret', secret: SECRET.repeat(2) }).find();
    return { sign: new TextEncoder().encode(SECRET.repeat(2)), own: key };
  }
  const pair = /^[RP]S/.test(algorithm) ? PAIRS.RS : PAIRS[algorithm as 'ES256'];
  const pem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { sign: pair.privateKey, own: new FixedKey({ kind: 'public_key', pem }).find() };
}

it.each(JWT_ALGORITHMS)('S18 %s: a right signature is right, and a damaged one is not', async (algorithm) => {
  const random = new Random(18);
  const { sign, own } = keysOf(algorithm);
  const judge = async (text: string, by: JwtAlgorithm = algorithm) => {
    const parts = readParts(text, new Set([by]));
    return typeof parts !== 'string' && own.kind === 'key' && (await isSignatureRight(parts, own.key, TAKER)) === true;
  };
  for (let n = 0; n < 20; n++) {
    const payload = Buffer.from(JSON.stringify({ sub: `user-${n}`, more: 'é'.repeat(random.below(50)) }));
    const right = await new CompactSign(payload).setProtectedHeader({ alg: algorithm }).sign(sign);
    expect(await judge(right)).toBe(true);
    const dot = right.lastIndexOf('.');
    const bytes = Buffer.from(right.slice(dot + 1), 'base64url');
    const at = random.below(bytes.length);
    const damaged = [
      Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ (1 << random.below(8)) : byte))),
      bytes.subarray(0, -1),
      Buffer.concat([bytes, Buffer.from([0])]),
      Buffer.concat([Buffer.from([0]), bytes]),
      Buffer.alloc(bytes.length),
      Buffer.alloc(bytes.length, 0xff),
      Buffer.from([0]),
    ];
    for (const signature of damaged) {
      const text = `${right.slice(0, dot)}.${signature.toString('base64url')}`;
      expect(await judge(text)).toBe(false);
    }
  }
});

it('a key of another kind than the algorithm needs is never right', async () => {
  for (const signer of JWT_ALGORITHMS) {
    const { sign } = keysOf(signer);
    for (const algorithm of JWT_ALGORITHMS) {
      const { own } = keysOf(algorithm);
      const text = await new CompactSign(Buffer.from('{}')).setProtectedHeader({ alg: signer }).sign(sign);
      const parts = readParts(text, new Set([signer]));
      if (typeof parts === 'string' || own.kind !== 'key') throw new Error('no token');
      const isSame = signer.slice(0, 2) === algorithm.slice(0, 2) && (signer[0] !== 'E' || signer === algorithm);
      const isRsa = /^[RP]S/.test(signer) && /^[RP]S/.test(algorithm);
      expect([signer, algorithm, await isSignatureRight(parts, own.key, TAKER)]).toEqual([signer, algorithm, isSame || isRsa]);
    }
  }
});
