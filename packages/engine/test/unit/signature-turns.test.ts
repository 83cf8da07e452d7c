import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { EC, token } from '@rivulet/testkit/jwt-tokens';
import { expect, it } from 'vitest';
import { FixedKey } from '../../src/core/jwt/key-source.js';
import { TokenCheck } from '../../src/core/jwt/token-check.js';

const CROWD = 500;
const keys = { kind: 'public_key', pem: EC.publicKey.export({ type: 'spki', format: 'pem' }).toString() } as const;
const config = {
  algorithms: ['ES256'],
  keys,
  issuer: undefined,
  audience: undefined,
  leewayMs: 0,
  claim: 'rivulet',
  grants: undefined,
} as const;
const check = new TokenCheck(config, new FixedKey(keys), { now: () => 0, monotonic: () => 0 });
const right = token({ sub: 'ann', exp: 100 }, { alg: 'ES256' }, EC.privateKey);
const wrong = token({ sub: 'bob', exp: 100 }, { alg: 'ES256' }, EC.privateKey).replace(/[^.]*$/, 'A'.repeat(86));

/** Begins the checks of many wrong tokens of one client. Returns how many have ended, and resolves when the checks wait for threads. */
async function crowd() {
  // The first check loads the library.
  await check.check(right);
  const counts = { ended: 0 };
  const all = Array.from({ length: CROWD }, async () => {
    expect(await check.check(wrong, { addressGroup: 'crowd' })).toEqual({ kind: 'refused', reason: 'signature_wrong' });
    counts.ended++;
  });
  await new Promise(setImmediate);
  return { counts, all: Promise.all(all) };
}

it('a crowd of wrong tokens does not hold up other work of the threads, such as the commits of a store', async () => {
  const { counts, all } = await crowd();
  await promisify(randomBytes)(16);
  expect(counts.ended).toBeLessThan(CROWD / 2);
  await all;
});

it('a crowd of wrong tokens of one client does not hold up the token of another', async () => {
  const { counts, all } = await crowd();
  expect(await check.check(right, { addressGroup: 'single' })).toMatchObject({ kind: 'right' });
  expect(counts.ended).toBeLessThan(CROWD / 2);
  await all;
});

it('a token whose client has left while it waited is not checked', async () => {
  const { all } = await crowd();
  const whenGone = (callback: () => void) => {
    queueMicrotask(callback);
    return () => {};
  };
  const result = await check.check(right, { addressGroup: 'gone', whenGone });
  expect(result).toEqual({ kind: 'undecided', reason: 'jwt_checks_busy' });
  await all;
});
