import { createHmac, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { EC, OTHER_RSA, RSA, SECRET, token } from '@rivulet/testkit/jwt-tokens';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JwtAlgorithm, JwtConfig } from '../../src/config/config.js';
import { KeySet, readKeySet } from '../../src/core/jwt/key-set.js';
import { FixedKey, type KeySource } from '../../src/core/jwt/key-source.js';
import { TokenCheck, type TokenResult } from '../../src/core/jwt/token-check.js';

const NOW_S = 1_800_000_000;
const NOTHING = { join: [], call: [], lease: [] };

interface World {
  readonly algorithms?: readonly JwtAlgorithm[];
  readonly keys?: JwtConfig['keys'];
  readonly more?: Partial<JwtConfig>;
  readonly nowMs?: number;
  readonly source?: KeySource;
}

function checkOf({ algorithms = ['HS256'], keys = { kind: 'secret', secret: SECRET }, more, nowMs = NOW_S * 1_000, source }: World = {}) {
  const config = { algorithms, keys, issuer: undefined, audience: undefined, leewayMs: 60_000, claim: 'rivulet', grants: NOTHING, ...more };
  const clock = { now: () => nowMs, monotonic: () => nowMs };
  return new TokenCheck(config, source ?? new FixedKey(keys as Exclude<JwtConfig['keys'], { kind: 'jwks_url' }>), clock);
}

const answer = (result: TokenResult) => (result.kind === 'refused' ? result.reason : result.kind);
const judge = async (text: string, world?: World) => answer(await checkOf(world).check(text));

const CLAIMS = { sub: 'ann', exp: NOW_S + 60 };
const PEM = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
const WITH_RSA: World = { algorithms: ['RS256'], keys: { kind: 'public_key', pem: PEM(RSA.publicKey) } };
const WITH_EC: World = { algorithms: ['ES256'], keys: { kind: 'public_key', pem: PEM(EC.publicKey) } };

describe('S18 a token', () => {
  it('lets its holder in when algorithm, signature and claims are right', async () => {
    expect(await judge(token(CLAIMS))).toBe('right');
    expect(await judge(token(CLAIMS, { alg: 'RS256' }, RSA.privateKey), WITH_RSA)).toBe('right');
    expect(await judge(token(CLAIMS, { alg: 'ES256' }, EC.privateKey), WITH_EC)).toBe('right');
    const result = await checkOf().check(token({ ...CLAIMS, role: 'reader' }));
    expect(result).toMatchObject({ token: { identity: 'ann', expiresAtMs: CLAIMS.exp * 1_000, claims: { role: 'reader' } } });
  });

  it('is refused with an algorithm that is not listed, none above all', async () => {
    for (const alg of ['none', 'None', 'HS512', 'RS256', 'hs256', '', undefined, 5, null])
      expect([alg, await judge(token(CLAIMS, { alg }))]).toEqual([alg, 'algorithm_not_allowed']);
    const unsigned = token(CLAIMS, { alg: 'none' }).replace(/[^.]*$/, '');
    expect(await judge(unsigned)).toBe('algorithm_not_allowed');
    expect(await judge(token(CLAIMS).replace(/[^.]*$/, ''))).toBe('token_malformed');
  });

  it('is refused when the public key was used as a secret', async () => {
    const pem = PEM(RSA.publicKey);
    const forged = token(CLAIMS, { alg: 'HS256' }, pem);
    expect(await judge(forged, WITH_RSA)).toBe('algorithm_not_allowed');
    // Not even a configuration that could not be loaded takes it.
    expect(await judge(forged, { ...WITH_RSA, algorithms: ['RS256', 'HS256'] })).toBe('signature_wrong');
    expect(await judge(token(CLAIMS, { alg: 'RS256' }, RSA.privateKey), { algorithms: ['HS256', 'RS256'] })).toBe('signature_wrong');
  });

  it('is refused with a signature of another key, another text, or another form', async () => {
    const right = token(CLAIMS);
    const [header, payload, signature = ''] = right.split('.');
    expect(await judge(token(CLAIMS, {}, 'another-secret-of-thirty-two-bytes!'))).toBe('signature_wrong');
    expect(await judge(`${header}.${Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'bob' })).toString('base64url')}.${signature}`)).toBe(
      'signature_wrong',
    );
    expect(await judge(`${header}.${payload}.${signature.slice(0, -4)}`)).toBe('signature_wrong');
    expect(await judge(token(CLAIMS, { alg: 'RS256' }, OTHER_RSA.privateKey), WITH_RSA)).toBe('signature_wrong');
    // DER in place of the two numbers of RFC 7518.
    const signed = token(CLAIMS, { alg: 'ES256' }, EC.privateKey).replace(/\.[^.]*$/, '');
    const der = sign('sha256', Buffer.from(signed), EC.privateKey).toString('base64url');
    expect(await judge(`${signed}.${der}`, WITH_EC)).toBe('signature_wrong');
    // A signature of zeros is right for every text, if nobody looks at its range.
    expect(await judge(`${signed}.${Buffer.alloc(64).toString('base64url')}`, WITH_EC)).toBe('signature_wrong');
    // The key of a smaller curve, or of RSA, for ES256.
    expect(await judge(token(CLAIMS, { alg: 'ES256' }, EC.privateKey), { ...WITH_RSA, algorithms: ['ES256'] })).toBe('signature_wrong');
  });

  it('is refused with any other character in any place, unless the signature stays the same', async () => {
    const texts = [
      [token(CLAIMS), {}],
      [token(CLAIMS, { alg: 'ES256' }, EC.privateKey), WITH_EC],
    ] as const;
    const bytesOf = (text: string) => Buffer.from(text.slice(text.lastIndexOf('.') + 1), 'base64url').toString('hex');
    const signedOf = (text: string) => text.slice(0, text.lastIndexOf('.'));
    for (const [text, world] of texts) {
      const check = checkOf(world);
      const others = Array.from(text, (_, at) =>
        ['A', 'z', '-', '.'].map((other) => `${text.slice(0, at)}${other}${text.slice(at + 1)}`),
      ).flat();
      const right: string[] = [];
      for (const other of others) if ((await check.check(other)).kind === 'right') right.push(other);
      // The last character of a signature has bits that no byte uses.
      expect(right.filter((other) => signedOf(other) !== signedOf(text) || bytesOf(other) !== bytesOf(text))).toEqual([]);
    }
  });

  it('S27 of any form ends no check with an error, and lets nobody in without exp and sub', async () => {
    const check = checkOf();
    const sealed = (header: string, claims: string) => {
      const signed = [header, claims].map((part) => Buffer.from(part).toString('base64url')).join('.');
      return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
    };
    const member = fc.constantFrom('alg', 'kid', 'typ', 'crit', 'sub', 'exp', 'nbf', 'iss', 'aud', 'rivulet', 'join', '__proto__');
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom('HS256', 'ann', NOW_S + 60, { join: ['chat/*'] }));
    const object = fc.dictionary(member, value, { maxKeys: 6 });
    const header = fc.oneof({ weight: 3, arbitrary: object.map((more) => ({ ...more, alg: 'HS256' })) }, object, fc.jsonValue());
    const property = fc.asyncProperty(header, fc.oneof(object, fc.jsonValue()), fc.string(), async (head, claims, text) => {
      const result = await check.check(sealed(JSON.stringify(head), JSON.stringify(claims)));
      const { sub, exp } = (claims ?? {}) as { sub?: unknown; exp?: unknown };
      const mayBeRight = typeof sub === 'string' && typeof exp === 'number' && exp > NOW_S;
      return (mayBeRight || result.kind === 'refused') && (await check.check(text)).kind === 'refused';
    });
    await fc.assert(property, { numRuns: 2_000 });
  });

  it('is refused when it is no compact token, or too large', async () => {
    for (const text of [
      '',
      'a',
      'a.b',
      'a.b.c.d',
      `${token(CLAIMS)}=`,
      ` ${token(CLAIMS)}`,
      `${token(CLAIMS)}\n`,
      '..',
      'é.b.c',
      '.e30.e30',
    ])
      expect([text, await judge(text)]).toEqual([text, 'token_malformed']);
    expect(await judge(token({ ...CLAIMS, more: 'x'.repeat(16_384) }))).toBe('token_too_large');
    expect(await judge(token({ ...CLAIMS, more: 'x'.repeat(8_000) }))).toBe('right');
  });

  it('is refused with an odd header', async () => {
    const sealed = (header: string | Buffer) => {
      const signed = `${Buffer.from(header).toString('base64url')}.${Buffer.from(JSON.stringify(CLAIMS)).toString('base64url')}`;
      return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
    };
    expect(await judge(sealed('{"alg":"HS256"}'))).toBe('right');
    for (const header of [
      '{"alg":"none","alg":"HS256"}',
      '{"alg":"HS256","alg":"HS256"}',
      '{"\\u0061lg":"none","alg":"HS256"}',
      '{"alg":"HS256","x":{"a":1,"a":2}}',
      '["HS256"]',
      '"HS256"',
      'null',
      '{"alg":"HS256"',
      `${'['.repeat(100)}${']'.repeat(100)}`,
      Buffer.from([0x7b, 0xff, 0x7d]),
    ])
      expect([header, await judge(sealed(header))]).toEqual([header, 'header_malformed']);
    for (const name of ['crit', 'b64', 'zip', 'enc'])
      for (const value of [['b64'], false, null])
        expect([name, await judge(token(CLAIMS, { [name]: value }))]).toEqual([name, 'header_not_understood']);
    for (const kid of ['', 5, null, ['a'], 'x'.repeat(1_025)]) expect(await judge(token(CLAIMS, { kid }))).toBe('header_malformed');
    for (const typ of ['JOSE', 'dpop+jwt', 'secevent+jwt', 7, null]) expect(await judge(token(CLAIMS, { typ }))).toBe('type_not_allowed');
    for (const typ of ['JWT', 'jwt', 'at+jwt', 'application/at+jwt']) expect(await judge(token(CLAIMS, { typ }))).toBe('right');
  });

  it('brings no key along', async () => {
    const own = { jwk: createPublicKey(OTHER_RSA.publicKey.export({ type: 'spki', format: 'pem' })).export({ format: 'jwk' }) };
    const forged = token(
      CLAIMS,
      { alg: 'RS256', ...own, jku: 'https://evil.example.com/keys', x5u: 'https://evil.example.com' },
      OTHER_RSA.privateKey,
    );
    expect(await judge(forged, WITH_RSA)).toBe('signature_wrong');
  });

  it('ends at exp to the millisecond, and begins at nbf with the leeway', async () => {
    const at = (nowMs: number, claims: object) => judge(token(claims), { nowMs });
    const exp = NOW_S;
    expect(await at(NOW_S * 1_000 - 1, { sub: 'ann', exp })).toBe('right');
    expect(await at(NOW_S * 1_000, { sub: 'ann', exp })).toBe('token_expired');
    expect(await at(NOW_S * 1_000 + 1, { sub: 'ann', exp: NOW_S + 0.5 })).toBe('right');
    expect(await judge(token({ ...CLAIMS, nbf: NOW_S + 60 }))).toBe('right');
    expect(await judge(token({ ...CLAIMS, nbf: NOW_S + 60.001 }))).toBe('token_not_valid_yet');
    expect(await judge(token({ ...CLAIMS, nbf: NOW_S + 1 }), { more: { leewayMs: 0 } })).toBe('token_not_valid_yet');
    expect(await judge(token({ ...CLAIMS, nbf: NOW_S }), { more: { leewayMs: 0 } })).toBe('right');
  });

  it('is refused without exp, or with claims of the wrong type', async () => {
    expect(await judge(token({ sub: 'ann' }))).toBe('expiry_missing');
    expect(await judge(token({ sub: 'ann', exp: null }))).toBe('expiry_missing');
    for (const exp of ['1900000000', true, [NOW_S + 60], 1e300, {}])
      expect([exp, await judge(token({ sub: 'ann', exp }))]).toEqual([exp, 'claims_malformed']);
    expect(await judge(token({ sub: 'ann', exp: -1 }))).toBe('token_expired');
    for (const nbf of ['0', true, 1e300]) expect(await judge(token({ ...CLAIMS, nbf }))).toBe('claims_malformed');
    for (const claims of ['null', '[]', '"x"', '{', '', '{"exp":1e999}'])
      expect([claims, await judge(token(claims))]).not.toContain('right');
  });

  it('is refused with another issuer or audience, if the configuration names them', async () => {
    const more = { issuer: 'https://id.example.com', audience: ['app', 'admin'] };
    const named = (claims: object) => judge(token({ ...CLAIMS, iss: more.issuer, aud: 'app', ...claims }), { more });
    expect(await named({})).toBe('right');
    expect(await named({ aud: ['other', 'admin'] })).toBe('right');
    for (const iss of [undefined, 'https://id.example.com/', [more.issuer], null]) expect(await named({ iss })).toBe('issuer_wrong');
    for (const aud of [undefined, 'other', ['other'], [], { app: 1 }, ['ap'], [['app']], null])
      expect(await named({ aud })).toBe('audience_wrong');
  });

  it('is refused without a subject that can be a name', async () => {
    expect(await judge(token({ exp: CLAIMS.exp }))).toBe('subject_missing');
    expect(await judge(token({ ...CLAIMS, sub: null }))).toBe('subject_missing');
    for (const sub of [5, true, ['ann'], {}]) expect(await judge(token({ ...CLAIMS, sub }))).toBe('claims_malformed');
    for (const sub of ['', 'a\u0000', 'a\nb', '\u007f', 'a\u0085', 'x'.repeat(257), 'é'.repeat(129), '\ud800'])
      expect([sub, await judge(token({ ...CLAIMS, sub }))]).toEqual([sub, 'subject_malformed']);
    expect(await judge(token({ ...CLAIMS, sub: 'x'.repeat(256) }))).toBe('right');
  });
});

describe('the keys of a key server', () => {
  const jwk = (key: KeyObject, more: object) => ({ ...key.export({ format: 'jwk' }), ...more });
  const keysOf = (...keys: readonly object[]): KeySource => {
    const reading = readKeySet(JSON.stringify({ keys }));
    const set = reading.kind === 'keys' ? reading.keys : new KeySet(new Map());
    return {
      generation: () => 0,
      renew() {},
      close() {},
      find: (algorithm, keyId) => {
        const key = set.find(algorithm, keyId ?? '');
        return key === undefined ? { kind: 'unknown' } : { kind: 'key', key };
      },
    };
  };
  const signed = (header: object, key = RSA.privateKey) => token(CLAIMS, { alg: 'RS256', kid: 'a', ...header }, key);
  const judged = (text: string, source: KeySource) => judge(text, { algorithms: ['RS256', 'ES256', 'PS256'], source });

  it('are found by their id, and used for their own algorithm only', async () => {
    const source = keysOf(jwk(RSA.publicKey, { kid: 'a', alg: 'RS256', use: 'sig' }), jwk(EC.publicKey, { kid: 'b' }));
    expect(await judged(signed({}), source)).toBe('right');
    expect(await judged(signed({ alg: 'ES256', kid: 'b' }, EC.privateKey), source)).toBe('right');
    expect(await judged(signed({ kid: 'c' }), source)).toBe('key_unknown');
    expect(await judged(signed({ kid: undefined }), source)).toBe('key_unknown');
    expect(await judged(signed({ kid: '__proto__' }), source)).toBe('key_unknown');
    expect(await judged(signed({ alg: 'PS256' }), source)).toBe('key_unknown');
    expect(await judged(signed({ alg: 'ES256' }), source)).toBe('key_unknown');
    expect(await judged(signed({ kid: 'b' }), source)).toBe('key_unknown');
    expect(await judged(signed({}, OTHER_RSA.privateKey), source)).toBe('signature_wrong');
  });

  it('are ignored when they are secret, for encryption, damaged or too short', async () => {
    const good = jwk(EC.publicKey, { kid: 'good' });
    const useless = [
      { kty: 'oct', k: Buffer.from(SECRET).toString('base64url'), kid: 'a' },
      jwk(RSA.publicKey, { kid: 'a', use: 'enc' }),
      jwk(RSA.publicKey, { kid: 'a', key_ops: ['encrypt'] }),
      jwk(RSA.publicKey, { kid: 5 }),
      { ...jwk(RSA.publicKey, { kid: 'a' }), n: 5 },
      { kty: 'RSA', kid: 'a', n: 'AQAB', e: 'AQAB' },
      { kty: 'toString', kid: 'a' },
      null,
      'a',
    ];
    for (const key of useless) expect([key, await judged(signed({}), keysOf(key as object, good))]).toEqual([key, 'key_unknown']);
    expect(await judged(signed({ alg: 'ES256', kid: 'good' }, EC.privateKey), keysOf(...(useless as object[]), good))).toBe('right');
  });

  it('make no set when the document is wrong', () => {
    const key = jwk(RSA.publicKey, { kid: 'a' });
    const wrong = [
      '',
      '{',
      'null',
      '[]',
      '{}',
      '{"keys":{}}',
      '{"keys":[]}',
      '<html>',
      JSON.stringify({
        keys: [
          { ...key, e: undefined },
          { ...key, n: 'AQAB' },
          { ...key, kid: undefined },
        ],
      }),
      JSON.stringify({ keys: Array.from({ length: 101 }, () => key) }),
    ];
    for (const text of wrong) expect(readKeySet(text)).toMatchObject({ kind: 'wrong' });
    expect(readKeySet(JSON.stringify({ keys: Array.from({ length: 100 }, () => key) }))).toMatchObject({ kind: 'keys' });
  });
});
