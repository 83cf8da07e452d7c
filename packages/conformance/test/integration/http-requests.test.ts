import { request } from 'node:http';
import { type HttpInput, startHttpEngine } from '@rivulet/testkit/engines/http-engine';
import { ChannelEnd } from '@rivulet/testkit/peers/channel-end';
import { RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { expect, it } from 'vitest';

const echo = (input: HttpInput) => ({ body: { ...input, request_body: null, response: null } });
const JSON_TYPE = { 'content-type': 'application/json' };

async function readAll(url: string, input: HttpInput): Promise<Buffer> {
  const reader = await ChannelEnd.open(url, input.request_body);
  await reader.closed;
  for (const { data, binary } of reader.inbox.all) expect([binary, data.length <= 65_536]).toEqual([true, true]);
  return Buffer.concat(reader.inbox.all.map(({ data }) => data));
}

it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('HT-1 %s reaches the function of its method and path', async (method) => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/things/:id', echo, { method: method.toLowerCase() });
  const answer = await fetch('/things/a%20b?q=1&q=2&r=x+y%C3%A9', { method, headers: { 'x-Mixed': 'v' } });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({
    path_params: { id: 'a b' },
    query_params: { q: '2', r: 'x yé' },
    headers: { 'x-mixed': 'v', host: expect.stringContaining('127.0.0.1:') },
    method,
    body: null,
  });
});

it('HT-1 HEAD has the headers and no body', async () => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/h', () => ({ status_code: 203, headers: { 'x-a': 'b' }, body: 'text' }), { method: 'HEAD' });
  const answer = await fetch('/h', { method: 'HEAD' });
  expect([answer.status, answer.headers.get('x-a'), await answer.text()]).toEqual([203, 'b', '']);
});

it('HT-1 GET is the default, and a leading slash is optional', async () => {
  const { serve, fetch } = await startHttpEngine();
  await serve('health', () => ({ body: 'up' }));
  expect(await (await fetch('/health')).json()).toBe('up');
});

it('HT-3 the path is the pattern as it was given, and the trigger is there', async () => {
  const { serve, fetch } = await startHttpEngine();
  await serve('rooms/:room', echo, { method: 'post' });
  const input = (await (await fetch('/rooms/r1', { method: 'POST' })).json()) as HttpInput;
  expect(input.path).toBe('rooms/:room');
  expect(input.trigger).toEqual({ type: 'http', path: 'rooms/:room', method: 'POST' });
});

it.each([
  ['JSON', 'application/json', '{"a":[1,"é"]}', { a: [1, 'é'] }],
  ['JSON with a charset', 'Application/JSON; charset=utf-8', '[1]', [1]],
  ['no JSON', 'application/json', '{"a":', null],
  ['nothing', 'application/json', '', null],
  ['another type', 'text/plain', '{"a":1}', null],
])('HT-1 a body of %s is parsed as it should be', async (_what, type, body, parsed) => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/b', echo, { method: 'POST' });
  const answer = await fetch('/b', { method: 'POST', headers: { 'content-type': type }, body });
  expect(((await answer.json()) as HttpInput).body).toEqual(parsed);
});

it('a body that is no UTF-8 is null', async () => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/b', echo, { method: 'POST' });
  const answer = await fetch('/b', { method: 'POST', headers: JSON_TYPE, body: Buffer.from([0x22, 0xff, 0x22]) });
  expect(((await answer.json()) as HttpInput).body).toBeNull();
});

it('HT-4 the channel has the exact bytes of a JSON body, beside the parsed one', async () => {
  const { serve, fetch, workerUrl } = await startHttpEngine();
  const body = `{ "a" :  ${JSON.stringify('é'.repeat(500_000))} }\n`;
  await serve(
    '/b',
    async (input) => ({ body: { same: (await readAll(workerUrl, input)).equals(Buffer.from(body)), a: input.body !== null } }),
    {
      method: 'POST',
    },
  );
  expect(await (await fetch('/b', { method: 'POST', headers: JSON_TYPE, body })).json()).toEqual({ same: true, a: true });
});

it.each(['application/octet-stream', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/json'])(
  'HT-4 a body of %s beyond 4 MiB arrives complete, in frames of at most 64 KiB',
  async (type) => {
    const { serve, fetch, workerUrl } = await startHttpEngine();
    const body = Buffer.alloc(6_000_000);
    for (let at = 0; at < body.length; at += 4) body.writeUInt32LE((at * 2_654_435) >>> 0, at);
    const text = type === 'application/json' ? Buffer.from(JSON.stringify(body.toString('base64').slice(0, 6_000_000))) : body;
    await serve('/b', async (input) => ({ body: { same: (await readAll(workerUrl, input)).equals(text) } }), { method: 'POST' });
    expect(await (await fetch('/b', { method: 'POST', headers: { 'content-type': type }, body: text })).json()).toEqual({ same: true });
  },
);

it('HT-4 a request without a body has a channel that ends at once', async () => {
  const { serve, fetch, workerUrl } = await startHttpEngine();
  await serve('/b', async (input) => ({ body: (await readAll(workerUrl, input)).length }));
  expect(await (await fetch('/b')).json()).toBe(0);
});

it.each([
  ['too large', JSON.stringify('x'.repeat(8_000_000))],
  ['too deep', '['.repeat(65) + ']'.repeat(65)],
  ['of too many values', `[${'1,'.repeat(100_000)}1]`],
  ['of too many different keys', JSON.stringify(Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`k${n}`, n])))],
])('a JSON body that is %s is refused with 413', async (_what, body) => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/b', echo, { method: 'POST' });
  const answer = await fetch('/b', { method: 'POST', headers: JSON_TYPE, body });
  expect(answer.status).toBe(413);
  expect(await answer.json()).toEqual({ error: { code: 'BODY_TOO_LARGE', message: expect.any(String) } });
});

it('HT-13 the metadata of the trigger and the trace of the client reach the function', async () => {
  const { serve, fetch, worker } = await startHttpEngine();
  await serve('/m', () => ({}), { metadata: { tenant: 'acme' } });
  await fetch('/m', { headers: { traceparent: '00-1-2-01', baggage: 'k=v' } });
  const frame = await worker.take('invokefunction');
  expect(frame).toMatchObject({ metadata: { tenant: 'acme' }, traceparent: '00-1-2-01', baggage: 'k=v' });
  expect(frame.data).not.toHaveProperty('_caller_worker_id');
});

it.each([
  ['/p/%zz', { id: '%zz' }],
  ['/p/a%2Fb', { id: 'a/b' }],
  ['/p/%ff', { id: '%ff' }],
  ['/p/..%2f..', { id: '../..' }],
  ['/p/__proto__', { id: '__proto__' }],
])('a parameter of %s is read without harm', async (path, params) => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/p/:id', echo);
  expect(((await (await fetch(path)).json()) as HttpInput).path_params).toEqual(params);
});

it.each([
  ['/p/', 404],
  ['/p/x/', 404],
  ['/p', 404],
])('%s is not /p/:id', async (path, status) => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/p/:id', echo);
  expect((await fetch(path)).status).toBe(status);
});

it('a query may name what JavaScript knows otherwise', async () => {
  const { serve, httpUrl } = await startHttpEngine();
  await serve('/q', echo);
  const answer = await fetch(`${httpUrl}/q?__proto__=1&constructor=2&a=%zz&=3`);
  const text = await answer.text();
  expect(text).toContain('"query_params":{"__proto__":"1","constructor":"2","a":"%zz","":"3"}');
});

it('headers that are no UTF-8 are empty, others are whole', async () => {
  const { serve, httpUrl } = await startHttpEngine();
  await serve('/u', echo);
  const text = await new Promise<string>((resolve, reject) => {
    const sent = request(`${httpUrl}/u`, { headers: { 'x-good': Buffer.from('é').toString('latin1'), 'x-bad': '\xff' } }, (response) => {
      let body = '';
      response.on('data', (data: Buffer) => (body += data.toString())).on('end', () => resolve(body));
    });
    sent.on('error', reject).end();
  });
  expect((JSON.parse(text) as HttpInput).headers).toMatchObject({ 'x-good': 'é', 'x-bad': '' });
});

it.each([
  ['no HTTP', 'GARBAGE\r\n\r\n', 400],
  ['a huge head', `GET / HTTP/1.1\r\nHost: h\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ['two lengths', 'POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx', 400],
  ['length and chunks', 'POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
])('%s is answered by its status, and the engine lives', async (_what, bytes, status) => {
  const { serve, fetch, httpUrl } = await startHttpEngine();
  await serve('/ok', echo);
  const raw = await RawSocket.connect(httpUrl);
  raw.write(bytes);
  expect((await raw.ended).status).toBe(status);
  expect((await fetch('/ok')).status).toBe(200);
});

it('an absolute target and a target of a star are read as HTTP asks', async () => {
  const { serve, httpUrl } = await startHttpEngine();
  await serve('/abs', echo);
  const get = (path: string, method = 'GET') =>
    new Promise<number | undefined>((resolve, reject) => {
      const { port } = new URL(httpUrl);
      const sent = request({ host: '127.0.0.1', port, path, method }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      });
      sent.on('error', reject).end();
    });
  expect(await get('http://example.com/abs?x=1')).toBe(200);
  expect(await get('*', 'OPTIONS')).toBe(404);
});
