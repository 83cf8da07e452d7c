import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask } from '../harness/admin-client.js';

const TOKEN = 'a-token-of-operators';
const CALL = '/api/call/engine::health::check';

async function open(url: string): Promise<Socket> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Sends bytes. Resolves with everything that the engine has sent when it closes the connection. */
async function exchange(url: string, bytes: string): Promise<string> {
  const socket = await open(url);
  let text = '';
  socket.on('data', (data: Buffer) => {
    text += data.toString('latin1');
  });
  socket.write(bytes);
  await once(socket, 'close');
  return text;
}

describe('the admin listener', () => {
  it.each([
    ['nothing', ''],
    ['half a head', 'GET /health HTTP/1.1\r\nHost: localhost\r\nX-'],
  ])('closes a connection that sends %s', async (_what, bytes) => {
    const { adminUrl } = await startTestEngine({ admin: {} });
    expect(await exchange(adminUrl, bytes)).not.toContain('200');
    expect((await ask(adminUrl, '/health')).status).toBe(200);
  });

  it.each([
    ['a head that is too long', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ['bytes that are no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['a CONNECT', 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['many requests at once', 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(50)],
  ])('ends the connection of %s, and no other', async (_what, bytes) => {
    const { adminUrl } = await startTestEngine({ admin: {} });
    await exchange(adminUrl, bytes);
    expect((await ask(adminUrl, '/health')).status).toBe(200);
  });

  it('refuses a request with too many headers', async () => {
    const { adminUrl } = await startTestEngine({ admin: {} });
    const headers = Object.fromEntries(Array.from({ length: LIMITS.httpHeaders + 1 }, (_, n) => [`x-${n}`, 'a']));
    expect(await ask(adminUrl, '/health', { headers })).toMatchObject({ status: 431 });
  });

  it('serves a new client while others hold all its connections and say nothing', async () => {
    const { adminUrl, log } = await startTestEngine({ admin: {} });
    for (let n = 0; n < LIMITS.adminConnections + 20; n++) await open(adminUrl);
    expect((await ask(adminUrl, '/health')).status).toBe(200);
    expect(log.map(({ event }) => event)).toContain('idle_connections_evicted');
  });

  it.each(['h2c', 'websocket'])('answers a request with Upgrade: %s as one without it', async (protocol) => {
    const { adminUrl } = await startTestEngine({ admin: {} });
    const head = `GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: ${protocol}\r\n\r\n`;
    expect(await exchange(adminUrl, head)).toMatch(/^HTTP\/1\.1 200 [^]*\{"status":"ok","engine":"rivulet",[^{}]*\}$/);
  });

  it('serves probes and reads while functions hang, and refuses further calls', async () => {
    const { adminUrl, workerUrl } = await startTestEngine({ admin: {} });
    const worker = await RawWorker.connect(workerUrl);
    await worker.serve('app::hang', () => new Promise(() => {}));
    const hang = () => ask(adminUrl, '/api/call/app::hang?timeout_ms=300000', { method: 'POST', json: null });
    const most = LIMITS.adminConnections + 20;
    let refused = 0;
    await new Promise<void>((resolve, reject) => {
      for (let n = 0; n < most; n++) {
        hang().then(({ status, text }) => {
          if (status !== 503 || !text.includes('"OVERLOADED"')) reject(new Error(`status ${status}`));
          if (++refused === most - LIMITS.adminWrites) resolve();
        }, reject);
      }
    });
    expect((await ask(adminUrl, '/health')).status).toBe(200);
    expect((await ask(adminUrl, '/ready')).status).toBe(200);
    expect((await ask(adminUrl, '/api/engine')).status).toBe(200);
    expect(await hang()).toMatchObject({ status: 503 });
    await worker.close();
  });

  it('counts a call until its function ends, also when its client has left and sent several at once', async () => {
    const { adminUrl, workerUrl } = await startTestEngine({ admin: {} });
    const worker = await RawWorker.connect(workerUrl);
    let running = 0;
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const all = new Promise<void>((resolve) => {
      void worker.serve('app::held', () => {
        if (++running === LIMITS.adminWrites) resolve();
        return released;
      });
    });
    await worker.result('engine::health::check', {});
    const held = 'POST /api/call/app::held HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1';
    const sockets = await Promise.all(Array.from({ length: LIMITS.adminWrites / LIMITS.adminPipelined }, () => open(adminUrl)));
    for (const socket of sockets) socket.write(held.repeat(LIMITS.adminPipelined));
    await all;
    for (const socket of sockets) socket.destroy();
    const call = () => ask(adminUrl, CALL, { method: 'POST', json: null });
    expect((await call()).status).toBe(503);
    release();
    // The engine reads this call of the worker after its results.
    await worker.result('engine::health::check', {});
    expect((await call()).status).toBe(200);
  });

  it('serves a probe while half of a body has come on all its connections', async () => {
    const { adminUrl } = await startTestEngine({ admin: {} });
    const half = `POST ${CALL} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[`;
    const most = LIMITS.adminConnections + 20;
    const sockets = await Promise.all(Array.from({ length: most }, () => open(adminUrl)));
    await new Promise<void>((resolve, reject) => {
      let refused = 0;
      for (const socket of sockets) {
        socket.once('data', (data: Buffer) => {
          if (!data.toString('latin1').startsWith('HTTP/1.1 503 ')) reject(new Error(data.toString('latin1')));
          if (++refused === most - LIMITS.adminWrites) resolve();
        });
        socket.write(half);
      }
    });
    expect((await ask(adminUrl, '/health')).status).toBe(200);
  });

  it('answers a stranger before the body arrives', async () => {
    const { adminUrl } = await startTestEngine({ admin: { token: TOKEN } });
    const head = `POST ${CALL} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n`;
    const text = await exchange(adminUrl, head);
    expect(text).toMatch(/^HTTP\/1\.1 401 /);
    expect(text).toMatch(/^www-authenticate: Bearer\r$/im);
    expect(text).toMatch(/^connection: close\r$/im);
  });

  it('asks a client that waits for its permission only after the token was right', async () => {
    const { adminUrl } = await startTestEngine({ admin: { token: TOKEN } });
    const head = (token: string) =>
      `POST ${CALL} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n` +
      'Connection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n';
    expect(await exchange(adminUrl, head('wrong'))).toMatch(/^HTTP\/1\.1 401 /);
    expect(await exchange(adminUrl, `${head(TOKEN)}null`)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  it.each(['announced', 'in chunks'])('refuses a body above the bound, %s', async (way) => {
    const { adminUrl } = await startTestEngine({ admin: {} });
    const body = Buffer.from(`"${'x'.repeat(LIMITS.adminBodyBytes)}"`);
    const length = way === 'announced' ? { 'content-length': String(body.length) } : {};
    const sent = request(`${adminUrl}${CALL}`, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', ...length },
    });
    // The engine closes the connection after its answer, perhaps while the client still sends.
    sent.on('error', () => {});
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [{ readonly statusCode: number }];
    expect(response.statusCode).toBe(413);
    expect((await ask(adminUrl, '/health')).status).toBe(200);
  });

  it('gives back the memory of a body whose client leaves', async () => {
    const { adminUrl } = await startTestEngine({ admin: {} });
    const head = `POST ${CALL} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n`;
    // More bytes than all bodies together may have.
    for (let n = 0; n < 6; n++) {
      const socket = await open(adminUrl);
      await new Promise((resolve) => socket.write(`${head}"${'x'.repeat(7_900_000)}`, resolve));
      socket.destroy();
      await once(socket, 'close');
    }
    const json = 'x'.repeat(7_900_000);
    expect((await ask(adminUrl, '/api/streams/s/groups/g/items/a', { method: 'PUT', json })).status).toBe(200);
  });
});
