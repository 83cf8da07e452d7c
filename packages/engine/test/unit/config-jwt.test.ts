import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { EC, RSA, SECRET } from '@rivulet/testkit/jwt-tokens';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { SECRET_BYTES } from '../../src/config/keys/jwt-keys.js';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { load, problemsOf, warningCodes } from '../config-files.js';

const stream = (jwt: object | null) => stringify({ workers: [{ name: 'iii-stream', config: { auth: { jwt } } }] });
const messages = (jwt: object) => problemsOf(stream(jwt), { lenient: true }).map(({ message }) => message);
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
const HS = { algorithms: ['HS256'], secret: SECRET };

describe('auth.jwt', () => {
  it('of the stream entry and of rbac has its defaults', () => {
    const text = stringify({
      workers: [
        { name: 'iii-worker-manager', config: { host: '0.0.0.0', rbac: { auth: { jwt: HS } } } },
        { name: 'iii-stream', config: { host: '0.0.0.0', auth: { jwt: { ...HS, audience: 'app', grants: { join: ['inbox/{sub}'] } } } } },
      ],
    });
    const config = load(text);
    const keys = { kind: 'secret', secret: SECRET };
    expect(config.stream?.jwt).toEqual({
      algorithms: ['HS256'],
      keys,
      issuer: undefined,
      audience: ['app'],
      leewayMs: 60_000,
      claim: 'rivulet',
      grants: { join: ['inbox/{sub}'], call: [], lease: [] },
    });
    expect(config.workerManagers[0]?.rbac?.jwt).toMatchObject({ keys, grants: undefined });
    expect(warningCodes(config).filter((code) => /open|without_auth/.test(code))).toEqual([]);
    expect(JSON.stringify(describeConfig(config))).not.toContain(SECRET);
  });

  it('takes a secret that is as long as the hash of each algorithm', () => {
    for (const [algorithm, bytes] of Object.entries(SECRET_BYTES))
      for (const secret of ['x'.repeat(bytes), 'ü'.repeat(bytes / 2)])
        expect(load(stream({ algorithms: [algorithm], secret })).stream?.jwt?.keys).toEqual({ kind: 'secret', secret });
  });

  it('takes a public key as text or as a file, and prints it', () => {
    const inline = load(stream({ algorithms: ['RS256', 'PS512'], public_key: pem(RSA.publicKey) }));
    expect(inline.stream?.jwt?.keys).toEqual({ kind: 'public_key', pem: pem(RSA.publicKey) });
    const cwd = directoryWith({
      'iii-config.yaml': stream({ algorithms: ['ES256'], public_key: 'key.pem' }),
      'key.pem': pem(EC.publicKey),
    });
    expect(loadConfig({ cwd, env: {}, lenient: false }).stream?.jwt?.keys).toEqual({ kind: 'public_key', pem: pem(EC.publicKey) });
    expect(load(stringify(describeConfig(inline))).stream?.jwt).toEqual(inline.stream?.jwt);
  });

  it('takes an address of keys by https, or on this machine, and warns without an audience', () => {
    for (const url of ['https://id.example.com/keys', 'http://localhost:1/keys', 'http://127.0.0.1/k', 'http://[::1]:8080/k'])
      expect(messages({ algorithms: ['RS256'], jwks_url: url })).toEqual([]);
    for (const url of [
      'http://id.example.com/keys',
      'ftp://x/y',
      'file:///etc/passwd',
      'http://127.0.0.1.evil.example',
      'keys',
      5,
      null,
      '',
    ])
      expect(messages({ algorithms: ['RS256'], jwks_url: url })).toEqual([expect.stringContaining('an https URL')]);
    for (const url of ['https://me:secret@id.example.com/', 'https://id.example.com/#a'])
      expect(messages({ algorithms: ['RS256'], jwks_url: url })).toEqual([expect.stringContaining('a user, a password or a fragment')]);
    const codes = (more: object) => warningCodes(load(stream({ algorithms: ['RS256'], jwks_url: 'https://id.example.com/keys', ...more })));
    expect(codes({})).toContain('jwt_without_audience');
    expect(codes({ audience: 'app' })).not.toContain('jwt_without_audience');
  });

  it.each([
    [{ ...HS, algorithms: [] }, 'a list of one or more of HS256'],
    [{ secret: SECRET }, 'a list of one or more of HS256'],
    [{ ...HS, algorithms: ['none'] }, 'a list of one or more of HS256'],
    [{ algorithms: ['HS256'] }, 'exactly one of secret'],
    [{ ...HS, jwks_url: 'https://id.example.com' }, 'exactly one of secret'],
    [{ ...HS, algorithms: ['HS256', 'RS256'] }, 'secret allows only HS256'],
    [{ algorithms: ['HS256'], public_key: pem(RSA.publicKey) }, 'public_key allows only algorithms of a key pair'],
    [{ algorithms: ['RS256', 'HS256'], jwks_url: 'https://id.example.com' }, 'jwks_url allows only algorithms of a key pair'],
    [{ ...HS, secret: 'x'.repeat(31) }, 'HS256 needs a secret of 32 bytes or more'],
    [{ algorithms: ['HS384'], secret: 'x'.repeat(47) }, 'HS384 needs a secret of 48 bytes or more'],
    [{ algorithms: ['HS256', 'HS512', 'HS384'], secret: 'ü'.repeat(31) }, 'HS512 needs a secret of 64 bytes or more'],
    [{ ...HS, secret: 'ü'.repeat(513) }, 'too long'],
    [{ ...HS, secret: null }, 'at least 32 bytes for HS256'],
    [{ ...HS, secret: '***' }, 'at least 32 bytes for HS256'],
    [{ ...HS, secret: pem(RSA.publicKey) }, 'a key in PEM and no secret'],
    [{ algorithms: ['RS256'], public_key: 'missing.pem' }, 'no file that can be read (ENOENT)'],
    [{ algorithms: ['RS256'], public_key: '-----BEGIN PUBLIC KEY-----' }, 'no public key in PEM'],
    [{ algorithms: ['RS256'], public_key: RSA.privateKey.export({ type: 'pkcs8', format: 'pem' }) }, 'a private key'],
    [{ algorithms: ['RS256', 'ES256'], public_key: pem(RSA.publicKey) }, "the key can't check ES256"],
    [{ algorithms: ['ES384'], public_key: pem(EC.publicKey) }, "the key can't check ES384"],
    [{ algorithms: ['RS256'], public_key: pem(generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey) }, "can't check RS256"],
    [{ ...HS, grants: { join: ['chat/room-*'] } }, 'expected stream/group'],
    [{ ...HS, grants: { join: ['chat'] } }, 'expected stream/group'],
    [{ ...HS, grants: { lease: ['a/b/c'] } }, 'expected stream/group'],
    [{ ...HS, grants: { join: ['inbox/{user}'] } }, 'the only placeholder is {sub}'],
    [{ ...HS, grants: { call: ['stream::set'] } }, 'never reach functions of the engine'],
    [{ ...HS, grants: { call: ['app::re*'] } }, '* stands for one whole part'],
    [{ ...HS, grants: { joins: ['a/b'] } }, 'did you mean "join"?'],
    [{ ...HS, grants: ['a/b'] }, 'lists of at most 100 patterns'],
    [{ ...HS, audiences: 'a' }, 'did you mean "audience"?'],
    [{ ...HS, leeway_ms: 300_001 }, 'a whole number from 0 to 300000'],
  ])('%j is refused', (jwt, message) => {
    expect(messages(jwt)).toEqual([expect.stringContaining(message)]);
    expect(messages(jwt).join()).not.toContain(SECRET);
  });

  it('is refused when it is empty, because nobody would be checked', () => {
    for (const config of ['auth: null', 'auth: {}', 'auth: { jwt: null }', 'auth: { jtw: {} }', 'auth: []'])
      expect(problemsOf(`workers: [{ name: iii-stream, config: { ${config} } }]`)).toEqual([
        expect.objectContaining({ message: expect.stringContaining('auth has no jwt') }),
      ]);
    const rbac = stringify({ workers: [{ name: 'iii-worker-manager', config: { rbac: { auth: { jwt: HS }, expose_functions: [] } } }] });
    expect(problemsOf(rbac)).toEqual([expect.objectContaining({ message: expect.stringContaining('an empty list exposes nothing') })]);
  });
});
