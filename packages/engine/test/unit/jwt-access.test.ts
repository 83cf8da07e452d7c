import { LIMITS } from '@rivulet/protocol';
import { inSeconds, jwtConfig, SECRET, token, userToken } from '@rivulet/testkit/jwt-tokens';
import { describe, expect, it } from 'vitest';
import type { JwtConfig } from '../../src/config/config.js';
import { CheckedTokens } from '../../src/core/jwt/checked-tokens.js';
import { JwtAccess } from '../../src/core/jwt/jwt-access.js';
import type { CheckedToken } from '../../src/core/jwt/token-check.js';
import { TokenGrants } from '../../src/core/jwt/token-grants.js';
import { silentLogger } from '../../src/logging/logger.js';

function accessOf(config: Partial<JwtConfig> = {}) {
  const clock = { time: Date.now(), now: () => clock.time, monotonic: () => clock.time };
  const access = new JwtAccess(jwtConfig(config), clock, silentLogger);
  const check = async (text: string) => {
    const result = await access.check({ headers: { authorization: `Bearer ${text}` }, protocols: [], rawQuery: '', addressGroup: '' });
    return result.kind === 'refused' ? result.reason : result.kind;
  };
  return { access, check, clock };
}

describe('a token that was right lately', () => {
  it('costs no signature, until its exp', async () => {
    const { access, check, clock } = accessOf();
    const exp = inSeconds(100);
    const text = userToken({ exp });
    for (let times = 0; times < 3; times++) expect(await check(text)).toBe('right');
    expect(access.counts.checks).toEqual({ right: 1, known: 2, refused: 0, undecided: 0 });
    clock.time = exp * 1_000;
    expect(await check(text)).toBe('token_expired');
    expect(access.counts.checks).toMatchObject({ known: 2, refused: 1 });
  });

  it('counts only as it is: another text is another token', async () => {
    const { check } = accessOf();
    const text = userToken();
    expect(await check(text)).toBe('right');
    const [header, , signature] = text.split('.');
    const payload = Buffer.from(JSON.stringify({ sub: 'bob', exp: inSeconds(100) })).toString('base64url');
    expect(await check(`${header}.${payload}.${signature}`)).toBe('signature_wrong');
    expect(await check(`${text.slice(0, -3)}AAA`)).toBe('signature_wrong');
  });

  it('is checked again with other keys and grants', async () => {
    const { access, check } = accessOf();
    const text = userToken();
    expect(await check(text)).toBe('right');
    access.replace(jwtConfig({ grants: { join: ['inbox/{sub}'], call: [], lease: [] } }));
    const result = await access.check({ headers: {}, protocols: [], rawQuery: '', addressGroup: '' }, text);
    expect(result.kind === 'right' && result.token.grants.mayJoin('inbox', 'ann')).toBe(true);
    access.replace(jwtConfig({ keys: { kind: 'secret', secret: 'x'.repeat(48) } }));
    expect(await check(text)).toBe('signature_wrong');
    access.replace(jwtConfig({ keys: { kind: 'secret', secret: SECRET }, issuer: 'login' }));
    expect(await check(text)).toBe('issuer_wrong');
  });

  it('lets nobody in when the keys were replaced while it was checked', async () => {
    const { access, check } = accessOf();
    const checking = check(userToken());
    access.replace(jwtConfig({ keys: { kind: 'secret', secret: 'x'.repeat(48) } }));
    expect(await checking).toBe('signature_wrong');
  });
});

describe('the tokens that are remembered', () => {
  const tokenOf = (identity: string, expiresAtMs = 1_000): CheckedToken => ({
    identity,
    expiresAtMs,
    claims: {},
    grants: new TokenGrants(identity, { join: [], call: [], lease: [] }),
  });

  it('are bounded in number, and the one that was used longest ago is forgotten', () => {
    const checked = new CheckedTokens();
    checked.find('', 1, 0);
    for (let index = 0; index < LIMITS.checkedTokens; index++) checked.add(`t${index}`, 1, tokenOf(`u${index}`));
    expect(checked.find('t0', 1, 0)?.identity).toBe('u0');
    checked.add('more', 1, tokenOf('more'));
    expect(checked.size).toBe(LIMITS.checkedTokens);
    expect([checked.find('t0', 1, 0)?.identity, checked.find('t1', 1, 0), checked.find('t2', 1, 0)?.identity]).toEqual([
      'u0',
      undefined,
      'u2',
    ]);
  });

  it('are bounded in their length together', () => {
    const checked = new CheckedTokens();
    checked.find('', 1, 0);
    const text = (index: number) => String(index).padEnd(LIMITS.tokenChars, 'x');
    const most = LIMITS.checkedTokenChars / LIMITS.tokenChars;
    for (let index = 0; index < most + 10; index++) checked.add(text(index), 1, tokenOf(`u${index}`));
    // The same token again takes no more room.
    checked.add(text(20), 1, tokenOf('u20'));
    expect(checked.size).toBe(most);
    expect([checked.find(text(9), 1, 0), checked.find(text(10), 1, 0)?.identity]).toEqual([undefined, 'u10']);
  });

  it('are forgotten with the keys that checked them, and at their exp', () => {
    const checked = new CheckedTokens();
    expect(checked.find('a', 1, 0)).toBeUndefined();
    checked.add('a', 1, tokenOf('ann'));
    checked.add('b', 2, tokenOf('bob'));
    expect([checked.find('a', 1, 999)?.identity, checked.find('b', 1, 0)]).toEqual(['ann', undefined]);
    expect(checked.find('a', 1, 1_000)).toBeUndefined();
    checked.add('a', 1, tokenOf('ann'));
    expect(checked.find('a', undefined, 0)).toBeUndefined();
    checked.add('a', undefined, tokenOf('ann'));
    expect([checked.size, checked.find('a', 1, 0)]).toEqual([0, undefined]);
  });
});

it('counts each check and each refusal by its reason', async () => {
  const { access, check } = accessOf();
  await access.check({ headers: {}, protocols: [], rawQuery: '', addressGroup: '' });
  await check(userToken({ exp: 1 }));
  await check(token({ sub: 'ann' }));
  await check('x');
  expect(access.counts.checks).toEqual({ right: 0, known: 0, refused: 4, undecided: 0 });
  const counted = Object.entries(access.counts.refusals).filter(([, times]) => times > 0);
  expect(Object.fromEntries(counted)).toEqual({ token_missing: 1, token_expired: 1, expiry_missing: 1, token_malformed: 1 });
});
