import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { LIMITS } from '@rivulet/protocol';
import type * as Jose from 'jose';
import { Turns, type TurnTaker } from '../../transport/upgrade/turns.js';
import type { TokenParts } from './token-parts.js';

/** Hashes of the algorithms with a secret. */
const HASHES: Readonly<Record<string, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

/** `jose` is loaded at the first signature of a key pair, because most engines check none. */
let jose: Promise<typeof Jose> | undefined;

/**
 * Turns for the checks of key pairs, which run in the threads of the process. Files and stores use the same threads, first come, first
 * served. Without a bound, a crowd of wrong tokens would hold up each commit until all of them are checked.
 */
const checks = new Turns({ most: LIMITS.signatureChecks, mostWaiting: LIMITS.signaturesWaiting, waitMs: LIMITS.signatureWaitMs });

/**
 * Returns whether a signature is right, or `busy` when too many others are to be checked. The caller has read the header. A key of another
 * kind than the algorithm needs is never right.
 *
 * `jose` checks the signatures of key pairs in threads. A hash with a secret takes less time than the way to such a thread, so it is made
 * here, and compared in constant time.
 */
export async function isSignatureRight(
  { algorithm, signed, signature }: TokenParts,
  key: KeyObject,
  taker: TurnTaker,
): Promise<boolean | 'busy'> {
  const hash = HASHES[algorithm];
  if (hash !== undefined) return key.type === 'secret' && isHashRight(hash, signed, signature, key);
  if (key.type !== 'public') return false;
  const { compactVerify } = await (jose ??= import('jose'));
  if ((await checks.take(taker)) === 'busy') return 'busy';
  try {
    await compactVerify(`${signed}.${signature}`, key, { algorithms: [algorithm] });
    return true;
  } catch {
    // Whatever jose finds wrong with a token or its key, the token lets nobody in.
    return false;
  } finally {
    checks.end();
  }
}

function isHashRight(hash: string, signed: string, signature: string, key: KeyObject): boolean {
  const right = createHmac(hash, key).update(signed).digest();
  const given = Buffer.from(signature, 'base64url');
  return given.length === right.length && timingSafeEqual(given, right);
}
