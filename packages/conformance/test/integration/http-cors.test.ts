import { startHttpEngine } from '@rivulet/testkit/engines/http-engine';
import { expect, it } from 'vitest';

const APP = 'https://app.example';
const PREFLIGHT = {
  method: 'OPTIONS',
  headers: { origin: APP, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-a' },
};
const DEFAULTS = { credentials: false, maxAgeS: 600 };
const LIMITED = { cors: { ...DEFAULTS, allowedOrigins: [APP], allowedMethods: ['GET', 'POST'] } };

const corsOf = ({ headers }: Response, name: string) => headers.get(`access-control-${name}`);

it('HT-11 without rules any page may call anything, errors included', async () => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/c', () => ({}));
  for (const path of ['/c', '/none']) {
    const answer = await fetch(path, { headers: { origin: APP } });
    expect([corsOf(answer, 'allow-origin'), corsOf(answer, 'expose-headers')]).toEqual(['*', '*']);
  }
  const preflight = await fetch('/anything', PREFLIGHT);
  expect([preflight.status, corsOf(preflight, 'allow-origin'), corsOf(preflight, 'allow-headers')]).toEqual([200, '*', '*']);
  expect(corsOf(preflight, 'allow-methods')).toContain('PATCH');
});

it('HT-11 with rules the origin is echoed if it is listed, and functions can not soften them', async () => {
  const { serve, fetch } = await startHttpEngine(LIMITED);
  await serve('/c', () => ({
    headers: { 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'true', vary: 'accept' },
  }));
  const good = await fetch('/c', { headers: { origin: APP } });
  expect([corsOf(good, 'allow-origin'), corsOf(good, 'allow-credentials'), good.headers.get('vary')]).toEqual([
    APP,
    null,
    'accept, origin',
  ]);
  const bad = await fetch('/c', { headers: { origin: 'https://evil.example' } });
  expect([bad.status, corsOf(bad, 'allow-origin')]).toEqual([200, null]);
  const preflight = await fetch('/c', PREFLIGHT);
  expect([preflight.status, corsOf(preflight, 'allow-origin'), corsOf(preflight, 'allow-methods')]).toEqual([200, APP, 'GET, POST']);
  const missing = await fetch('/none', { headers: { origin: APP } });
  expect([missing.status, corsOf(missing, 'allow-origin')]).toEqual([404, APP]);
});

it('HT-11 a plain OPTIONS goes to its route, a preflight never does', async () => {
  const { serve, fetch } = await startHttpEngine(LIMITED);
  let called = 0;
  await serve('/c', () => ({ body: ++called }), { method: 'OPTIONS' });
  await fetch('/c', PREFLIGHT);
  expect(await (await fetch('/c', { method: 'OPTIONS' })).json()).toBe(1);
});

it('a request that makes the engine fail ends its connection, and nothing else', async () => {
  const { fetch, log, serve } = await startHttpEngine({ cors: { ...DEFAULTS, allowedOrigins: 'any', allowedMethods: ['no\nheader'] } });
  await serve('/c', () => ({}));
  await expect(fetch('/c', PREFLIGHT)).rejects.toThrow('fetch failed');
  expect(log).toContainEqual(expect.objectContaining({ level: 'error', event: 'http_exchange_failed' }));
  expect((await fetch('/c')).status).toBe(200);
});

it('S35 without rules no page gets credentials, and every answer says nosniff', async () => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/c', () => ({}));
  for (const answer of [await fetch('/c', { headers: { origin: APP } }), await fetch('/none'), await fetch('/c', PREFLIGHT)])
    expect([corsOf(answer, 'allow-credentials'), answer.headers.get('x-content-type-options')]).toEqual([null, 'nosniff']);
});

it('S35 with rules the origin is exact, requested headers are reflected, and preflights are kept for max_age', async () => {
  const { serve, fetch } = await startHttpEngine({ cors: { ...LIMITED.cors, credentials: true, maxAgeS: 60 } });
  await serve('/c', () => ({ headers: { 'access-control-allow-credentials': 'maybe' } }));
  const headers = { ...PREFLIGHT.headers, 'access-control-request-headers': 'authorization,x-a' };
  const preflight = await fetch('/c', { method: 'OPTIONS', headers });
  expect(['allow-origin', 'allow-credentials', 'allow-headers', 'max-age'].map((name) => corsOf(preflight, name))).toEqual([
    APP,
    'true',
    'authorization,x-a',
    '60',
  ]);
  expect(preflight.headers.get('vary')).toBe('origin, access-control-request-headers');
  const actual = await fetch('/c', { headers: { origin: APP } });
  expect([corsOf(actual, 'allow-origin'), corsOf(actual, 'allow-credentials')]).toEqual([APP, 'true']);
  for (const origin of [
    'https://app.example.evil',
    'https://xapp.example',
    'http://app.example',
    'https://app.example:8443',
    'null',
    'HTTPS://APP.EXAMPLE',
  ]) {
    const answer = await fetch('/c', { method: 'OPTIONS', headers: { ...headers, origin } });
    expect([origin, corsOf(answer, 'allow-origin'), corsOf(answer, 'allow-credentials')]).toEqual([origin, null, null]);
  }
  const odd = await fetch('/c', { method: 'OPTIONS', headers: { ...headers, 'access-control-request-headers': 'x-a, (b)' } });
  expect(corsOf(odd, 'allow-headers')).toBe('*');
});
