import { once } from 'node:events';
import { connect } from 'node:net';
import { LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngine } from '@rivulet/testkit/engines/engine';
import { frame, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { expect, onTestFinished, test } from 'vitest';
import { ask } from '../harness/admin-client.js';

const TOKEN = 'a-token-of-operators';
const VIEWER = 'a/token of viewers'.replaceAll(' ', '=');
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

type Headers = Readonly<Record<string, string | undefined>>;

interface Upgrade {
  readonly path?: string;
  readonly method?: string;
  /** Headers beside those of a correct upgrade, or in place of them. `undefined` leaves one out. */
  readonly headers?: Headers;
  /** Bytes behind the head. */
  readonly after?: Buffer;
}

/** Sends an upgrade. Resolves with the head and the body of the answer. After 101 it ends the connection. */
async function upgrade({ adminUrl }: TestEngine, { path = '/live', method = 'GET', headers = {}, after }: Upgrade = {}) {
  const all: Headers = {
    host: '127.0.0.1',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': KEY,
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]));
  const socket = connect({ port: Number(new URL(adminUrl).port), host: '127.0.0.1' });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (data: Buffer) => {
    text += data.toString('latin1');
    if (text.startsWith('HTTP/1.1 101') && text.includes('\r\n\r\n')) socket.destroy();
  });
  socket.write(Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), after ?? Buffer.alloc(0)]));
  await once(socket, 'close');
  const [head = '', body = ''] = text.split('\r\n\r\n');
  return { status: Number(head.slice(9, 12)), head: head.toLowerCase(), body };
}

const withToken = (token: string): Headers => ({ 'sec-websocket-protocol': `Authorization, ${token}` });
const encoded = (token: string) => `base64url.${Buffer.from(token).toString('base64url')}`;
const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });

test.each<[string, Headers]>([
  ['the full token as sub-protocol', withToken(TOKEN)],
  ['the full token, encoded', withToken(encoded(TOKEN))],
  ['the token of viewers, encoded', withToken(encoded(VIEWER))],
  ['the token in a header', bearer(VIEWER)],
  ['the token and its own origin', { ...withToken(TOKEN), origin: 'http://127.0.0.1', 'sec-fetch-site': 'same-origin' }],
])('a session opens with %s, and the answer has no token', async (_what, headers) => {
  const engine = await startTestEngine({ admin: { host: '0.0.0.0', token: TOKEN, viewerToken: VIEWER } });
  const { status, head } = await upgrade(engine, { headers });
  expect(status).toBe(101);
  expect(head).not.toContain('token');
  expect(head.includes('sec-websocket-protocol: authorization')).toBe(headers['sec-websocket-protocol'] !== undefined);
});

test.each<[string, Headers, number, string]>([
  ['no token', {}, 401, 'UNAUTHORIZED'],
  ['a wrong token', withToken('a-token-of-nobody'), 401, 'UNAUTHORIZED'],
  ['a wrong token, encoded', withToken(encoded('a-token-of-nobody')), 401, 'UNAUTHORIZED'],
  ['an empty encoded token', withToken('base64url.'), 401, 'UNAUTHORIZED'],
  ['an encoded text that is no base64', withToken('base64url.%%%'), 401, 'UNAUTHORIZED'],
  ['the token without its name', { 'sec-websocket-protocol': TOKEN }, 401, 'UNAUTHORIZED'],
  ['the name without a token', { 'sec-websocket-protocol': 'Authorization' }, 401, 'UNAUTHORIZED'],
  ['a token as name', { 'sec-websocket-protocol': `${TOKEN}, Authorization` }, 401, 'UNAUTHORIZED'],
  ['a right header beside a wrong token', { ...bearer(TOKEN), ...withToken('a-token-of-nobody') }, 401, 'UNAUTHORIZED'],
  ['a foreign origin', { ...withToken(TOKEN), origin: 'http://evil.example' }, 403, 'ORIGIN_NOT_ALLOWED'],
  ['the origin of another port', { ...withToken(TOKEN), origin: 'http://127.0.0.1:5173' }, 403, 'ORIGIN_NOT_ALLOWED'],
  ['no origin of a page', { ...withToken(TOKEN), origin: 'null' }, 403, 'ORIGIN_NOT_ALLOWED'],
  ['a cross-site page', { ...withToken(TOKEN), 'sec-fetch-site': 'cross-site' }, 403, 'ORIGIN_NOT_ALLOWED'],
  ['a rebound name', { ...withToken(TOKEN), host: 'evil.example', origin: 'http://evil.example' }, 403, 'HOST_NOT_ALLOWED'],
  ['no Host', { ...withToken(TOKEN), host: '' }, 403, 'HOST_NOT_ALLOWED'],
])('an upgrade with %s is refused with a code, counted and logged', async (_what, headers, status, code) => {
  const engine = await startTestEngine({ admin: { token: TOKEN, viewerToken: VIEWER } });
  const answer = await upgrade(engine, { headers });
  expect({ status: answer.status, error: JSON.parse(answer.body) }).toMatchObject({ status, error: { error: { code } } });
  expect(answer.head.includes('www-authenticate: bearer')).toBe(status === 401);
  expect(engine.log.filter(({ event }) => event === 'admin_refused')).toMatchObject([{ level: 'warn', fields: { code, path: '/live' } }]);
  expect(engine.engine.figures().events).toMatchObject({ admin_refused: 1 });
  expect(JSON.stringify(engine.log)).not.toContain('a-token');
});

test('a token in the URL is refused, also when it is right, and no log has it', async () => {
  const engine = await startTestEngine({ admin: { token: TOKEN } });
  const path = `/live?token=${TOKEN}`;
  expect((await upgrade(engine, { path, headers: withToken(TOKEN) })).status).toBe(400);
  expect((await upgrade(engine, { path })).status).toBe(401);
  expect(JSON.stringify(engine.log)).not.toContain(TOKEN);
});

test('without a token in the configuration, a page of another site and a proxied client get nothing, and everyone else on loopback a session', async () => {
  const engine = await startTestEngine({ admin: {} });
  expect((await upgrade(engine, { headers: { origin: 'http://evil.example' } })).status).toBe(403);
  expect((await upgrade(engine, { headers: { 'x-forwarded-for': '127.0.0.1' } })).status).toBe(403);
  expect((await upgrade(engine)).status).toBe(101);
});

test.each<[string, Upgrade, number]>([
  ['no key', { headers: { 'sec-websocket-key': undefined } }, 400],
  ['a wrong key', { headers: { 'sec-websocket-key': 'x' } }, 400],
  ['an unknown version', { headers: { 'sec-websocket-version': '99' } }, 400],
  ['the method POST', { method: 'POST', headers: { 'content-length': '0' } }, 400],
  ['a body', { headers: { 'content-length': '5' }, after: Buffer.from('12345') }, 101],
  ['many headers', { headers: Object.fromEntries(Array.from({ length: LIMITS.httpHeaders }, (_, n) => [`x-${n}`, 'a'])) }, 431],
  ['many early bytes', { after: Buffer.concat(Array.from({ length: 200 }, () => frame({ payload: 'x'.repeat(100) }))) }, 400],
  ['no group in its path', { path: '/live/stream/chat' }, 404],
  ['another path below', { path: '/live/other' }, 404],
  ['a name that is no id', { path: '/live/stream/chat/%00' }, 400],
  ['a malformed name', { path: '/live/stream/chat/%ff' }, 400],
  ['a traversal', { path: '/live/../api/engine' }, 404],
])('an upgrade with %s is answered with %s, and the listener goes on', async (_what, shape, status) => {
  const engine = await startTestEngine({ admin: {} });
  expect((await upgrade(engine, shape)).status).toBe(status);
  expect((await upgrade(engine)).status).toBe(101);
  expect((await ask(engine.adminUrl, '/health')).status).toBe(200);
});

test.each([['/'], ['/health'], ['/api/engine'], ['/livelihood'], ['/LIVE']])(
  'an upgrade of %s is answered as a request without it',
  async (path) => {
    const engine = await startTestEngine({ admin: { token: TOKEN } });
    const plain = await ask(engine.adminUrl, path, { token: TOKEN });
    const { status } = await upgrade(engine, { path, headers: { ...bearer(TOKEN), connection: 'Upgrade, close' } });
    expect(status).toBe(plain.status);
  },
);

test('a write that offers another protocol keeps its body', async () => {
  const engine = await startTestEngine({ admin: {} });
  const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQCAAAAAAIAAAAA' };
  const item = '/api/streams/chat/groups/room-1/items/m1';
  expect((await ask(engine.adminUrl, item, { method: 'PUT', json: { text: 'kept' }, headers })).status).toBe(200);
  expect((await ask(engine.adminUrl, item)).text).toContain('"kept"');
});

test('a request that is no upgrade learns that /live needs one', async () => {
  const engine = await startTestEngine({ admin: { token: TOKEN } });
  expect((await ask(engine.adminUrl, '/live')).status).toBe(401);
  expect(await ask(engine.adminUrl, '/live', { token: TOKEN })).toMatchObject({ status: 426, headers: { upgrade: 'websocket' } });
});

test('an upgrade behind an unanswered request ends the connection', async () => {
  const engine = await startTestEngine({ admin: {} });
  const raw = await RawSocket.connect(engine.adminUrl);
  const head = `GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;
  raw.write(`GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n${head}`);
  expect(await raw.ended).toEqual({ status: undefined, code: undefined });
  expect((await ask(engine.adminUrl, '/health')).status).toBe(200);
});

test('messages that mean nothing, or break the protocol, end no other session', async () => {
  const engine = await startTestEngine({ admin: {} });
  const raw = await RawSocket.upgrade(engine.adminUrl, '/live');
  for (const text of [
    '',
    '{',
    '[]',
    '{"type":"join"}',
    '{"type":"refresh","data":{"token":"x"}}',
    '{"type":"lease","data":{"subscriptionId":"s"}}',
  ])
    raw.text(text);
  await raw.settled();
  raw.write(frame({ reserved: 7, payload: 'x' }));
  expect((await raw.ended).code).toBe(1002);
  const large = await RawSocket.upgrade(engine.adminUrl, '/live');
  large.write(frame({ claimedBytes: BigInt(LIMITS.clientMessageBytes) + 1n }));
  expect((await large.ended).code).toBe(1009);
  expect((await upgrade(engine)).status).toBe(101);
});
