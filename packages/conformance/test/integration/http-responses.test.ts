import { type IncomingMessage, request } from 'node:http';
import { startHttpEngine } from '@rivulet/testkit/engines/http-engine';
import { RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { expect, it } from 'vitest';

async function answerTo(result: unknown): Promise<Response> {
  const { serve, fetch } = await startHttpEngine();
  await serve('/r', () => result);
  return fetch('/r');
}

it.each<[string, unknown, string | null, string]>([
  ['HT-2 a text without a content type is quoted JSON', { body: 'text' }, 'application/json', '"text"'],
  ['an object is JSON', { body: { a: [1] } }, 'application/json', '{"a":[1]}'],
  ['null without a content type is JSON too', { body: null }, 'application/json', 'null'],
  ['no body is {}', {}, 'application/json', '{}'],
  ['HT-2 a text with a content type is raw', { headers: { 'content-type': 'text/xml' }, body: '<a/>' }, 'text/xml', '<a/>'],
  ['a text of type JSON is raw', { headers: { 'Content-Type': 'application/json' }, body: '[1' }, 'application/json', '[1'],
  ['null with a content type is empty', { headers: { 'content-type': 'text/plain' }, body: null }, 'text/plain', ''],
  ['an object of another type is JSON text', { headers: { 'content-type': 'text/plain' }, body: { a: 1 } }, 'text/plain', '{"a":1}'],
])('%s', async (_what, result, type, text) => {
  const answer = await answerTo(result);
  expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([200, type, text]);
});

it.each([
  [201, 201],
  [404, 404],
  [599, 599],
  [99, 200],
  [100, 200],
  [101, 200],
  [1_000, 200],
  [-1, 200],
  [200.5, 200],
  ['201', 200],
  [null, 200],
])('HT-1 a status_code of %s is answered as %s', async (status, wanted) => {
  expect((await answerTo({ status_code: status })).status).toBe(wanted);
});

it.each([204, 304])('a response of status %s has no body, whatever the function says', async (status) => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/r', () => ({ status_code: status, body: 'text' }));
  for (let n = 0; n < 2; n++) {
    const answer = await fetch('/r');
    expect([answer.status, await answer.text(), answer.headers.get('content-length')]).toEqual([status, '', null]);
  }
});

it('HT-1 headers may be an object or an array of lines, which may repeat', async () => {
  const object = await answerTo({ headers: { 'X-One': '1', 'x-number': 1, 'x-é': 'skipped', 'x-utf8': 'é' } });
  expect([object.headers.get('x-one'), object.headers.get('x-number'), object.headers.get('x-utf8')]).toEqual(['1', null, 'Ã©']);
  const array = await answerTo({ headers: ['Set-Cookie: a=1', 'set-cookie: b=2; Path=/', 'X-Colon: a:b', 'nonsense', ': x', 7] });
  expect(array.headers.getSetCookie()).toEqual(['a=1', 'b=2; Path=/']);
  expect(array.headers.get('x-colon')).toBe('a:b');
});

it('headers that would break the connection or split the response are left out', async () => {
  const { serve, httpUrl } = await startHttpEngine();
  const headers = {
    connection: 'close',
    'keep-alive': 'timeout=1',
    'transfer-encoding': 'chunked',
    upgrade: 'h2c',
    'content-length': '1',
    'x-split': 'a\r\nx-injected: 1',
    'x-name\r\nx-injected': '1',
    'x-nul': 'a\0b',
    'x-fine': 'yes',
  };
  await serve('/r', () => ({ headers, body: 'whole' }));
  const raw = await RawSocket.connect(httpUrl);
  let text = '';
  raw.socket.on('data', (data: Buffer) => (text += data.toString()));
  raw.write('GET /r HTTP/1.1\r\nHost: h\r\n\r\nGET /r HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
  await raw.ended;
  const [first = '', second = ''] = text.split('"whole"');
  expect(first.toLowerCase()).toContain('x-fine: yes');
  expect(first.toLowerCase()).toContain('content-length: 7');
  expect(first.toLowerCase()).not.toMatch(/x-injected|x-nul|timeout=1|transfer-encoding|upgrade|x-split/);
  expect(second).toContain('HTTP/1.1 200');
});

it('headers beyond their bound are left out', async () => {
  const headers = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`x-${n}`, 'v'.repeat(1_000)]));
  const { serve, httpUrl } = await startHttpEngine();
  await serve('/r', () => ({ headers }));
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(`${httpUrl}/r`, { maxHeaderSize: 200_000 }, resolve);
    sent.on('error', reject).end();
  });
  expect([answer.statusCode, answer.headers['x-64']?.length, answer.headers['x-65']]).toEqual([200, 1_000, undefined]);
  answer.resume();
});

it.each(['text', 7, true, [1], [[]]])('a result of %j is no response: 200 {}, said once in the log', async (result) => {
  const { serve, fetch, log } = await startHttpEngine();
  await serve('/r', () => result);
  for (let n = 0; n < 3; n++) {
    const answer = await fetch('/r');
    expect([answer.status, await answer.text()]).toEqual([200, '{}']);
  }
  expect(log.filter(({ event }) => event === 'http_result_ignored')).toHaveLength(1);
});

it('a function that answers nothing and opens nothing gets 204 after the time of grace', async () => {
  const started = performance.now();
  const { serve, fetch } = await startHttpEngine({ defaultTimeoutMs: 300 });
  await serve('/r', () => undefined);
  const answer = await fetch('/r');
  expect([answer.status, await answer.text()]).toEqual([204, '']);
  expect(performance.now() - started).toBeGreaterThan(290);
});
