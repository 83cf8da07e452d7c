import { readFileSync } from 'node:fs';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, test } from 'vitest';
import { ask } from '../harness/admin-client.js';

const DOCUMENT = readFileSync(new URL('../../../../docs/admin.md', import.meta.url), 'utf8');
const TOKEN = 'a-token-of-operators';
const NAMES: Readonly<Record<string, string>> = {
  stream: 'chat',
  group: 'room-1',
  item: 'm1',
  function: 'engine::health::check',
  store: 'stream',
  file: 'nothing.js',
};
const ITEM = '/api/streams/chat/groups/room-1/items/m1';

/** All paths of docs/admin.md with their methods, and two that do not exist. */
const PATHS = [
  ...Array.from(DOCUMENT.matchAll(/^\| (GET|PUT|POST|DELETE) \| `(\/[^`]*)` \|/gm), ([, method = '', path = '']) => ({
    method,
    path: path.replace(/\{(\w+)\}/g, (_all, name: string) => NAMES[name] ?? ''),
  })),
  { method: 'GET', path: '/nothing' },
  { method: 'GET', path: '/api/nothing' },
];
const isProbe = (path: string) => path === '/health' || path === '/ready';
/** Files of the inspector, which hold no secret. */
const isPage = (path: string) => path === '/' || path.startsWith('/assets/');

/** Sends a request to every path. Returns the paths that did not answer with the wanted status. */
async function others(
  url: string,
  wanted: (path: string) => number,
  options: { readonly token?: string; readonly headers?: Record<string, string> },
  paths = PATHS,
) {
  const wrong: string[] = [];
  for (const { method, path } of paths) {
    const { status } = await ask(url, path, { method, ...options, ...(method === 'GET' ? {} : { json: { text: 'written' } }) });
    if (status !== wanted(path)) wrong.push(`${method} ${path}: ${status}`);
  }
  return wrong;
}

test('the table of docs/admin.md has all kinds of paths', () => {
  expect(PATHS.length).toBeGreaterThan(15);
  for (const path of ['/metrics', '/ready', ITEM]) expect(PATHS.map((each) => each.path)).toContain(path);
});

test.each([
  ['on loopback without tokens', {}],
  ['on loopback with a token', { token: TOKEN }],
  ['off loopback with a token', { host: '0.0.0.0', token: TOKEN, metricsOpen: true }],
])('%s, no path answers a foreign Host or a page of another site, also with the token', async (_where, admin) => {
  const { adminUrl } = await startTestEngine({ admin });
  const token = 'token' in admin ? { token: TOKEN } : {};
  expect(await others(adminUrl, (path) => (isProbe(path) ? 200 : 403), { ...token, headers: { host: 'evil.example' } })).toEqual([]);
  for (const headers of [{ origin: 'http://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }])
    expect(await others(adminUrl, () => 403, { ...token, headers })).toEqual([]);
  expect((await ask(adminUrl, ITEM, token)).status).toBe(404);
});

test('off loopback, nothing but probes and the files of the page answers without a token', async () => {
  const { adminUrl } = await startTestEngine({ admin: { host: '0.0.0.0', token: TOKEN } });
  for (const token of [{}, { token: 'a-token-of-nobody' }]) {
    const refused = await others(
      adminUrl,
      (path) => (isProbe(path) ? 200 : 401),
      token,
      PATHS.filter(({ path }) => !isPage(path)),
    );
    expect(refused).toEqual([]);
    expect((await ask(adminUrl, '/assets/nothing.js', token)).status).toBe(404);
    expect((await ask(adminUrl, '/ready', token)).text).toBe('{"status":"ready"}');
  }
  expect((await ask(adminUrl, ITEM, { token: TOKEN })).status).toBe(404);
  expect((await ask(adminUrl, '/metrics', { token: TOKEN })).status).toBe(200);
});

test('the token of viewers reads each path that viewers may read, and changes nothing', async () => {
  const { adminUrl, log } = await startTestEngine({ admin: { token: TOKEN, viewerToken: 'a-token-of-viewers' } });
  const needs = Array.from(
    DOCUMENT.matchAll(/^\| (GET|PUT|POST|DELETE) \| `(\/[^`]*)` \| (viewer|full) \|/gm),
    ([, method = '', path = '', need = '']) => ({
      method,
      path: path.replace(/\{(\w+)\}/g, (_all, name: string) => NAMES[name] ?? 'nobody'),
      need,
    }),
  );
  expect(needs.filter(({ need }) => need === 'full').length).toBeGreaterThan(5);
  for (const { method, path, need } of needs) {
    const { status } = await ask(adminUrl, path, {
      method,
      token: 'a-token-of-viewers',
      ...(method === 'GET' ? {} : { json: { data: 1 } }),
    });
    expect([method, path, (need === 'full') === (status === 403) && status !== 401, status]).toMatchObject({ 2: true });
  }
  expect(log.filter(({ event }) => event === 'admin_action')).toEqual([]);
  expect((await ask(adminUrl, ITEM, { token: TOKEN })).status).toBe(404);
});
