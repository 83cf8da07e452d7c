import { describe, expect, it } from 'vitest';
import { WorkerToken } from '../../src/core/workers/access/worker-token.js';
import { isHostAllowed } from '../../src/transport/upgrade/host-check.js';
import { isLoopbackOrigin } from '../../src/transport/upgrade/origin-check.js';

const host = (...values: string[]) => ({ rawHeaders: ['Accept', 'host', ...values.flatMap((value) => ['Host', value]), 'X', 'y'] });
const GUARDED = { allowed: [], guardsLoopback: true };

describe('the Host of a request', () => {
  it.each([
    'localhost',
    'localhost:49134',
    'LocalHost:1',
    'localhost.',
    'localhost.:80',
    'localhost:',
    'app.localhost',
    'a.b.localhost:3000',
    '127.0.0.1',
    '127.0.0.1:49134',
    '[::1]',
    '[::1]:49134',
    '[0:0:0:0:0:0:0:1]:1',
  ])('%s is of this machine', (value) => {
    expect(isHostAllowed(host(value), GUARDED, '127.0.0.1')).toBe(true);
  });

  it.each([
    'evil.example',
    'evil.example:49134',
    'localhost.evil.example',
    'evillocalhost',
    '.localhost',
    '127.0.0.1.evil.example',
    '127.0.0.2',
    '2130706433',
    '0.0.0.0',
    '10.0.0.1',
    '::1',
    '[::1%lo]',
    '[::2]',
    '[::ffff:10.0.0.1]',
    '[localhost]',
    'user@localhost',
    'localhost:80:80',
    'localhost:port',
    'localhost/',
    'localhost evil.example',
    'localhost, evil.example',
    'localhost..',
    '',
    '.',
  ])('%j is not', (value) => {
    expect(isHostAllowed(host(value), GUARDED, '127.0.0.1')).toBe(false);
  });

  it('must be there, once', () => {
    expect(isHostAllowed(host(), GUARDED, '::1')).toBe(false);
    expect(isHostAllowed(host('localhost', 'evil.example'), GUARDED, '127.0.0.1')).toBe(false);
    expect(isHostAllowed(host('evil.example', 'localhost'), GUARDED, '127.0.0.1')).toBe(false);
    expect(isHostAllowed({ rawHeaders: ['Cookie', 'host', 'hOsT', 'localhost'] }, GUARDED, '127.0.0.1')).toBe(true);
  });

  it('may be the address of the port, and what the configuration allows', () => {
    const rule = { allowed: ['Engine.internal', '[fd00::1]', '10.0.0.1'], guardsLoopback: true };
    for (const value of ['engine.internal:1', 'ENGINE.INTERNAL.', '[FD00::1]:2', '10.0.0.1', 'localhost'])
      expect(isHostAllowed(host(value), rule, '0.0.0.0')).toBe(true);
    expect(isHostAllowed(host('127.0.0.5:1'), GUARDED, '127.0.0.5')).toBe(true);
    expect(isHostAllowed(host('other.internal'), rule, '0.0.0.0')).toBe(false);
  });

  it('is checked on loopback, and elsewhere only when the configuration says what is allowed', () => {
    expect(isHostAllowed(host('evil.example'), GUARDED, '0.0.0.0')).toBe(true);
    expect(isHostAllowed(host('evil.example'), GUARDED, '::1')).toBe(false);
    expect(isHostAllowed(host('evil.example'), { allowed: [], guardsLoopback: false }, '127.0.0.1')).toBe(true);
    expect(isHostAllowed(host('evil.example'), { allowed: ['a'], guardsLoopback: false }, '127.0.0.1')).toBe(false);
  });

  it('is read in time that grows with its length only', () => {
    const before = process.cpuUsage();
    for (const value of [`${'a.'.repeat(8_000)}!`, `[${':'.repeat(16_000)}`, `localhost${':1'.repeat(8_000)}`])
      expect(isHostAllowed(host(value), GUARDED, '127.0.0.1')).toBe(false);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(500);
  });
});

describe('the origin of a page', () => {
  it('is of this machine over http or https only', () => {
    for (const origin of ['http://localhost:5173', 'https://localhost', 'http://127.0.0.1', 'http://[::1]:3000', 'HTTP://LOCALHOST:1'])
      expect(isLoopbackOrigin(origin)).toBe(true);
    for (const origin of [
      'null',
      '',
      'localhost',
      'http://',
      'file://',
      'file://localhost',
      'ftp://localhost',
      'chrome-extension://localhost',
      'ws://localhost',
      'http://localhost.evil',
      'http://evil.localhost',
      'http://127.0.0.2',
      'http://localhost/path',
      'http://user@localhost',
      'http://localhost, http://evil.example',
      'http://0x7f000001',
      'http://2130706433',
      'http://127.1',
      'http://localhost:80',
      'http://localhost:70000',
    ])
      expect(isLoopbackOrigin(origin)).toBe(false);
  });
});

describe('the token of workers', () => {
  const token = new WorkerToken('sesame+open=1');
  const check = (authorization: string | undefined, rawQuery = '') =>
    token.check({ headers: authorization === undefined ? {} : { authorization }, rawQuery });

  it('is in the Authorization header, else in the query', () => {
    expect([check('Bearer sesame+open=1'), check('bearer  sesame+open=1')]).toEqual(['right', 'right']);
    expect([check(undefined, 'a=1&auth_token=sesame+open=1'), check('Basic eDp5', 'auth_token=sesame%2Bopen%3D1')]).toEqual([
      'right',
      'right',
    ]);
    expect([check(undefined), check(''), check('Basic eDp5'), check('Bearer '), check(undefined, 'token=sesame+open=1')]).toEqual(
      Array<string>(5).fill('missing'),
    );
    expect([check('Bearer no'), check('Bearer no', 'auth_token=sesame+open=1'), check('Bearer sesame+open=1 x')]).toEqual([
      'wrong',
      'wrong',
      'missing',
    ]);
    expect([check(undefined, 'auth_token='), check(undefined, 'auth_token'), check(undefined, 'auth_token=%ff')]).toEqual(
      Array<string>(3).fill('wrong'),
    );
  });
});
