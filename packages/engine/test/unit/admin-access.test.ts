import { describe, expect, it } from 'vitest';
import { AdminAccess, type Need } from '../../src/admin/admin-access.js';
import type { AdminConfig } from '../../src/config/config.js';

const OPEN: AdminConfig = { port: 0, host: '127.0.0.1', token: undefined, viewerToken: undefined, allowedHosts: [], metricsOpen: false };
const SECURED: AdminConfig = { ...OPEN, token: 'the-full-token', viewerToken: 'the-viewer-token' };
const OUTSIDE: AdminConfig = { ...SECURED, host: '0.0.0.0', allowedHosts: ['Admin.example'] };

interface Headers {
  readonly host?: string;
  readonly origin?: string;
  readonly site?: string;
  readonly token?: string;
  /** A header that a proxy adds, with its value. */
  readonly proxy?: readonly [name: string, value: string];
}

function decide(config: AdminConfig, need: Need, { host = '127.0.0.1:3113', origin, site, token, proxy }: Headers = {}): string {
  const headers = {
    ...(host === '' ? {} : { host }),
    ...(origin === undefined ? {} : { origin }),
    ...(site === undefined ? {} : { 'sec-fetch-site': site }),
    ...(token === undefined ? {} : { authorization: token }),
    ...(proxy === undefined ? {} : { [proxy[0]]: proxy[1] }),
  };
  const verdict = new AdminAccess(config).decide({ headers, rawHeaders: Object.entries(headers).flat() }, need);
  return verdict.kind === 'allowed' ? verdict.role : `${verdict.status} ${verdict.code}`;
}

const FULL = 'Bearer the-full-token';
const VIEWER = 'bearer  the-viewer-token';

describe('the token', () => {
  it.each<[string, AdminConfig, Need, string | undefined, string]>([
    ['none is needed on loopback without tokens', OPEN, 'full', undefined, 'full'],
    ['is needed as soon as there is one', SECURED, 'viewer', undefined, '401 UNAUTHORIZED'],
    ['may be the full one', SECURED, 'full', FULL, 'full'],
    ['may be the one of viewers for reading', SECURED, 'viewer', VIEWER, 'viewer'],
    ['of viewers does not write', SECURED, 'full', VIEWER, '403 FORBIDDEN'],
    ['must be exact', SECURED, 'viewer', `${FULL}x`, '401 UNAUTHORIZED'],
    ['must be a bearer', SECURED, 'viewer', 'Basic the-full-token', '401 UNAUTHORIZED'],
    ['must be no prefix', SECURED, 'viewer', 'Bearer the-full', '401 UNAUTHORIZED'],
    ['is not needed for a probe', OUTSIDE, 'probe', undefined, 'none'],
    ['shows a probe the reasons', OUTSIDE, 'probe', VIEWER, 'viewer'],
    ['is not needed for the reasons on loopback', SECURED, 'probe', undefined, 'viewer'],
    ['is not needed for a scrape on loopback', SECURED, 'scrape', undefined, 'none'],
    ['is needed for a scrape elsewhere', OUTSIDE, 'scrape', undefined, '401 UNAUTHORIZED'],
    ['of viewers may scrape elsewhere', OUTSIDE, 'scrape', VIEWER, 'viewer'],
    ['is not needed for an open scrape', { ...OUTSIDE, metricsOpen: true }, 'scrape', undefined, 'none'],
    ['is needed beside an open scrape', { ...OUTSIDE, metricsOpen: true }, 'viewer', undefined, '401 UNAUTHORIZED'],
    ['of viewers alone lets nobody write', { ...SECURED, token: undefined }, 'full', FULL, '401 UNAUTHORIZED'],
  ])('%s', (_rule, config, need, token, expected) => {
    expect(decide(config, need, token === undefined ? {} : { token })).toBe(expected);
  });
});

describe('Host', () => {
  it.each([
    'localhost',
    'LOCALHOST:3113',
    'a.localhost:1',
    '127.0.0.1',
    '[::1]:3113',
    '10.1.2.3:3113',
    '[2001:db8::1]',
    'admin.example',
    'admin.example:443',
  ])('%s is allowed', (host) => {
    for (const need of ['scrape', 'viewer', 'full'] as const) expect(decide(OUTSIDE, need, { host, token: FULL })).toBe('full');
  });

  it.each([
    'evil.example',
    'evil.example:3113',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'admin.example.evil',
    '',
    '999.1.1.1',
    'a b',
  ])('%j is refused, except for probes, which then see no reasons', (host) => {
    for (const config of [OPEN, SECURED, OUTSIDE]) {
      for (const need of ['scrape', 'viewer', 'full'] as const)
        expect(decide(config, need, { host, token: FULL })).toBe('403 HOST_NOT_ALLOWED');
      expect(decide(config, 'probe', { host, token: FULL })).toBe('none');
    }
  });

  it('twice is refused', () => {
    const rawHeaders = ['Host', 'localhost', 'host', 'evil.example'];
    expect(new AdminAccess(OPEN).decide({ headers: { host: 'localhost' }, rawHeaders }, 'viewer')).toMatchObject({
      code: 'HOST_NOT_ALLOWED',
    });
  });
});

describe('a request that came through a proxy', () => {
  it.each<readonly [string, string]>([
    ['forwarded', 'for=192.0.2.1'],
    ['x-forwarded-for', '127.0.0.1'],
    ['x-forwarded-proto', 'https'],
    ['x-forwarded-host', 'admin.example'],
    ['x-real-ip', '127.0.0.1'],
    ['via', '1.1 proxy'],
    ['via', ''],
  ])('shows it with %s, and does not count as loopback', (...proxy) => {
    for (const need of ['scrape', 'viewer', 'full'] as const) expect(decide(OPEN, need, { proxy })).toBe('403 FORBIDDEN');
    expect(decide(OPEN, 'probe', { proxy })).toBe('none');
    expect(decide(SECURED, 'scrape', { proxy })).toBe('401 UNAUTHORIZED');
    expect(decide(SECURED, 'scrape', { proxy, token: VIEWER })).toBe('viewer');
    expect(decide(SECURED, 'probe', { proxy })).toBe('none');
    expect(decide(SECURED, 'probe', { proxy, token: VIEWER })).toBe('viewer');
    expect(decide(SECURED, 'full', { proxy, token: FULL })).toBe('full');
    expect(decide({ ...OPEN, metricsOpen: true }, 'scrape', { proxy })).toBe('none');
  });
});

describe('a page', () => {
  it.each<[Headers]>([
    [{ origin: 'http://evil.example' }],
    [{ origin: 'http://127.0.0.1:5173' }],
    [{ origin: 'http://localhost:3113' }],
    [{ origin: 'null' }],
    [{ origin: 'https://127.0.0.1:31134' }],
    [{ origin: 'http://127.0.0.1:3113, http://127.0.0.1:3113' }],
    [{ site: 'cross-site' }],
    [{ site: 'cross-site', origin: 'http://127.0.0.1:3113' }],
  ])('with %j gets nothing', (headers) => {
    for (const need of ['probe', 'scrape', 'viewer', 'full'] as const)
      expect(decide(OPEN, need, { ...headers, token: FULL })).toBe('403 ORIGIN_NOT_ALLOWED');
  });

  it.each<[Headers]>([
    [{ origin: 'http://127.0.0.1:3113', site: 'same-origin' }],
    [{ origin: 'https://admin.example', host: 'Admin.example' }],
    [{ site: 'none' }],
    [{ site: 'same-origin' }],
  ])('with %j is one of the listener', (headers) => {
    expect(decide(OUTSIDE, 'full', { ...headers, token: FULL })).toBe('full');
  });

  it('of a name that was rebound to the listener is stopped by its Host', () => {
    expect(decide(OPEN, 'viewer', { host: 'evil.example', origin: 'http://evil.example' })).toBe('403 HOST_NOT_ALLOWED');
  });
});
