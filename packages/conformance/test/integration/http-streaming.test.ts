import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { http } from '@iii-dev/helpers/http';
import { type HttpInput, startHttpEngine } from '@rivulet/testkit/engines/http-engine';
import { ChannelEnd } from '@rivulet/testkit/peers/channel-end';
import { connectOfficial } from '@rivulet/testkit/peers/official-worker';
import { WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { expect, it, onTestFinished } from 'vitest';

const respond = (url: string, { response }: HttpInput) => ChannelEnd.open(url, response);
const control = (message: unknown) => JSON.stringify(message);

/** Opens a response whose chunks the test reads as they arrive. */
async function openStream(url: string): Promise<IncomingMessage> {
  const sent = request(url);
  onTestFinished(() => void sent.destroy());
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

it('HT-5 status, headers and the exact bytes go through the channel', async () => {
  const { serve, fetch, workerUrl } = await startHttpEngine();
  const file = randomBytes(3_000_000);
  await serve('/file', async (input) => {
    const out = await respond(workerUrl, input);
    out.socket.send(control({ type: 'set_status', status_code: 201 }));
    out.socket.send(
      control({ type: 'set_headers', headers: { 'content-type': 'application/pdf', 'content-length': String(file.length), n: 1 } }),
    );
    out.socket.send('no JSON');
    out.socket.send(control({ type: 'set_status', status_code: 'x' }));
    out.socket.send(control([1]));
    for (let at = 0; at < file.length; at += 65_536) out.socket.send(file.subarray(at, at + 65_536));
    out.socket.close(1000, 'stream_complete');
  });
  const answer = await fetch('/file');
  expect([answer.status, answer.headers.get('content-type')]).toEqual([201, 'application/pdf']);
  expect(Buffer.from(await answer.arrayBuffer()).equals(file)).toBe(true);
});

it('HT-5 server-sent events arrive one by one', async () => {
  const { serve, httpUrl, workerUrl } = await startHttpEngine();
  let out: ChannelEnd | undefined;
  await serve('/events', async (input) => {
    out = await respond(workerUrl, input);
    out.socket.send(control({ type: 'set_headers', headers: { 'content-type': 'text/event-stream', connection: 'keep-alive' } }));
    await out.send(Buffer.from('data: 0\n\n'));
  });
  const stream = await openStream(`${httpUrl}/events`);
  expect(stream.headers['content-type']).toBe('text/event-stream');
  for (let n = 0; n < 5; n++) {
    const [chunk] = (await once(stream, 'data')) as [Buffer];
    expect(chunk.toString()).toBe(`data: ${n}\n\n`);
    await out?.send(Buffer.from(`data: ${n + 1}\n\n`));
  }
});

it.each([true, false])('HT-5 status and headers without a body (answered before the close: %s)', async (early) => {
  const { serve, fetch, workerUrl } = await startHttpEngine();
  await serve('/head', async (input) => {
    const out = await respond(workerUrl, input);
    out.socket.send(control({ type: 'set_status', status_code: 202 }));
    out.socket.send(control({ type: 'set_headers', headers: { 'x-a': 'b' } }));
    if (early) setImmediate(() => out.socket.close());
    else await out.close();
  });
  const answer = await fetch('/head');
  expect([answer.status, answer.headers.get('x-a'), await answer.text()]).toEqual([202, 'b', '']);
});

it('a channel that closes without a word leaves the answer to the function', async () => {
  const { serve, fetch, workerUrl } = await startHttpEngine();
  await serve('/value', async (input) => {
    await (await respond(workerUrl, input)).close();
    return { status_code: 201, body: 'value' };
  });
  await serve('/nothing', async (input) => (await respond(workerUrl, input)).close());
  const value = await fetch('/value');
  expect([value.status, await value.json()]).toEqual([201, 'value']);
  const nothing = await fetch('/nothing');
  expect([nothing.status, await nothing.text()]).toEqual([200, '']);
});

it('a value returned before the first bytes wins, one returned after them does not', async () => {
  const { serve, fetch, workerUrl } = await startHttpEngine();
  await serve('/before', async (input) => {
    (await respond(workerUrl, input)).socket.send(control({ type: 'set_status', status_code: 500 }));
    return { body: 'value' };
  });
  await serve('/after', async (input) => {
    const out = await respond(workerUrl, input);
    await out.send(Buffer.from('streamed'));
    await out.close();
    return { status_code: 500 };
  });
  expect(await (await fetch('/before')).json()).toBe('value');
  const after = await fetch('/after');
  expect([after.status, await after.text()]).toEqual([200, 'streamed']);
});

it.each<[string, (out: ChannelEnd) => unknown]>([
  ['a writer that drops', (out) => out.socket.terminate()],
  [
    'a function that fails',
    () => {
      throw new WorkerError({ code: 'late', message: 'late' });
    },
  ],
  ['a body shorter than announced', (out) => out.socket.close()],
  ['a body longer than announced', (out) => out.socket.send(Buffer.alloc(100))],
])('%s in the middle cuts the connection, so that half a body is not taken for a whole', async (_what, spoil) => {
  const { serve, httpUrl, workerUrl, engine, worker } = await startHttpEngine();
  await serve('/half', async (input) => {
    const out = await respond(workerUrl, input);
    out.socket.send(control({ type: 'set_headers', headers: { 'content-length': '10' } }));
    await out.send(Buffer.from('half'));
    await out.settled();
    spoil(out);
  });
  const stream = await openStream(`${httpUrl}/half`);
  await expect(stream.resume().toArray()).rejects.toThrow('aborted');
  while (engine.figures().channels > 0) await worker.settled();
});

it('HT-8 the time-out is for the begin of a response only', async () => {
  const { serve, fetch, workerUrl } = await startHttpEngine({ defaultTimeoutMs: 2_000 });
  await serve('/slow', async (input) => {
    const out = await respond(workerUrl, input);
    await out.send(Buffer.from('begun '));
    // Meanwhile, another request exceeds its time-out.
    expect((await fetch('/hang')).status).toBe(504);
    await out.send(Buffer.from('ended'));
    await out.close();
  });
  await serve('/hang', () => new Promise(() => {}));
  expect(await (await fetch('/slow')).text()).toBe('begun ended');
});

it('HT-12 a client that leaves closes the writer and the reader of its channels', async () => {
  const { serve, httpUrl, workerUrl, engine, worker } = await startHttpEngine();
  const ends: Promise<{ readonly code: number }>[] = [];
  await serve(
    '/left',
    async (input) => {
      const out = await respond(workerUrl, input);
      const body = await ChannelEnd.open(workerUrl, input.request_body);
      ends.push(out.closed, body.closed);
      await out.send(Buffer.from('x'));
      return new Promise(() => {});
    },
    { method: 'POST' },
  );
  const sent = request(`${httpUrl}/left`, { method: 'POST' });
  sent.on('error', () => {});
  sent.write('part of a body');
  await once(sent, 'response');
  sent.destroy();
  const codes = (await Promise.all(ends)).map(({ code }) => code);
  expect(codes).toEqual([1001, 1011]);
  expect(engine.figures()).toMatchObject({ channels: 0, requests: 0 });
  expect(await worker.result('engine::health::check', {})).toEqual({ status: 'ok' });
});

it('HT-5 a client that reads slowly holds the writer back, and nothing is lost', async () => {
  const { serve, httpUrl, workerUrl, engine, worker } = await startHttpEngine();
  let out: ChannelEnd | undefined;
  const chunk = Buffer.alloc(65_536, 'x');
  await serve('/big', async (input) => {
    out = await respond(workerUrl, input);
    for (let n = 0; n < 800; n++) out.socket.send(chunk);
    out.socket.close(1000);
  });
  const stream = await openStream(`${httpUrl}/big`);
  stream.pause();
  while (engine.figures().channelBytes < 8 * 65_536) await worker.settled();
  expect(out?.socket.bufferedAmount).toBeGreaterThan(10_000_000);
  let bytes = 0;
  for await (const data of stream) bytes += (data as Buffer).length;
  expect(bytes).toBe(800 * 65_536);
});

it('HT-5 HT-4 the http() of the official helpers with iii-sdk 0.22.1 streams a body out and in', async () => {
  const { fetch, workerUrl } = await startHttpEngine();
  const sdk = await connectOfficial('0.22.1', workerUrl);
  const upload = http(async (req, res) => {
    const bytes = await req.request_body.readAll();
    res.status(201);
    res.headers({ 'content-type': 'text/plain', 'x-length': String(bytes.length) });
    res.stream.write(createHash('sha256').update(bytes).digest('hex'));
    res.stream.end();
  });
  const value = http(async (req) => ({
    status_code: 202,
    headers: { 'x-q': String(req.query_params.q) },
    body: { got: req.body as string },
  }));
  sdk.registerFunction('app::upload', upload as never);
  sdk.registerFunction('app::value', value as never);
  sdk.registerTrigger({ type: 'http', function_id: 'app::upload', config: { api_path: '/upload', http_method: 'POST' } });
  sdk.registerTrigger({ type: 'http', function_id: 'app::value', config: { api_path: 'value', http_method: 'POST' } });
  await sdk.settled();
  const body = randomBytes(2_500_000);
  const uploaded = await fetch('/upload', { method: 'POST', body });
  expect([uploaded.status, uploaded.headers.get('x-length')]).toEqual([201, String(body.length)]);
  expect(await uploaded.text()).toBe(createHash('sha256').update(body).digest('hex'));
  const valued = await fetch('/value?q=7', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' });
  expect([valued.status, valued.headers.get('x-q'), await valued.json()]).toEqual([202, '7', { got: { a: 1 } }]);
});

it.each(['0.9.0', '0.11.2', '0.11.6'] as const)('HT-1 the ApiResponse of iii-sdk %s is a response', async (version) => {
  const { fetch, workerUrl } = await startHttpEngine();
  const sdk = await connectOfficial(version, workerUrl);
  sdk.registerFunction('app::api', async (req) => {
    const { path_params, body } = req as HttpInput;
    return { status_code: 201, headers: ['X-Room: one'], body: { room: path_params.room, body } };
  });
  sdk.registerTrigger({ type: 'http', function_id: 'app::api', config: { api_path: 'rooms/:room', http_method: 'PUT' } });
  await sdk.settled();
  const answer = await fetch('/rooms/r1', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '[1]' });
  expect([answer.status, answer.headers.get('x-room'), await answer.json()]).toEqual([201, 'one', { room: 'r1', body: [1] }]);
});
