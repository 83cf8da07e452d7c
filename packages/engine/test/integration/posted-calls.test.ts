import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { FunctionFabric } from '../../src/core/fabric/function-fabric.js';
import { SessionDirectory } from '../../src/core/revocation/session-directory.js';
import { silentLogger } from '../../src/logging/logger.js';
import { GroupHeads } from '../../src/stream/calls/group-heads.js';
import { PageCalls } from '../../src/stream/calls/page-calls.js';
import { PostedCalls, type PostedCallsDeps } from '../../src/stream/calls/posted/posted-calls.js';
import { systemClock } from '../../src/structures/clock.js';
import type { PlainRequest } from '../../src/transport/plain/plain-requests.js';

const LARGE = JSON.stringify('x'.repeat(2_000));

/** Calls by plain HTTP on a server of this process. The functions are those of the engine. */
async function world(unsentBytes: number) {
  const fabric = new FunctionFabric(silentLogger);
  const ran: string[] = [];
  fabric.registerBuiltin(
    'app::large',
    () => {
      ran.push('app::large');
      return { kind: 'result', text: LARGE };
    },
    '',
  );
  fabric.registerBuiltin(
    'app::never',
    () => {
      ran.push('app::never');
      return new Promise(() => {});
    },
    '',
  );
  const exposeFunctions = ['app::large', 'app::never'].map((pattern) => ({ kind: 'match', pattern }) as const);
  const config = {
    exposeFunctions,
    middlewareFunction: undefined,
    callTimeoutMs: 3_600_000,
    pathPrefix: '',
    allowedOrigins: [],
    maxMessageBytes: 1_000,
  };
  const heads = new GroupHeads({ get: () => Promise.reject(new Error('unused')), keeps: () => true }, silentLogger);
  const calls = new PageCalls({ fabric, config, heads, logger: silentLogger });
  const auth = { decide: () => Promise.resolve({ kind: 'allowed', context: null, expiresAtMs: undefined }) };
  const posted = new PostedCalls({
    config: config as unknown as PostedCallsDeps['config'],
    auth: auth as unknown as PostedCallsDeps['auth'],
    calls,
    access: {} as PostedCallsDeps['access'],
    directory: new SessionDirectory(),
    clock: systemClock,
    logger: silentLogger,
    unsentBytes,
  });
  const server = createServer((request, response) => {
    const about = {
      path: request.url,
      rawQuery: '',
      headers: request.headers,
      remoteAddress: '10.0.0.1',
    } as unknown as PlainRequest['about'];
    posted.handle({ request, response, about, isHostAllowed: true, stopping: false, takeConnection: () => true }, () => true);
  });
  onTestFinished(() => server.close().closeAllConnections());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const send = (functionId: string) => {
    const client = connect(port, '127.0.0.1');
    onTestFinished(() => void client.destroy());
    client.write(
      `POST /call/${functionId} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    return client;
  };
  return { send, calls, ran };
}

/** Reads the status line, and the code of the error if there is one. */
async function told(client: Socket): Promise<unknown> {
  const text = await new Promise<string>((resolve) => {
    let read = '';
    client.on('data', (piece: Buffer) => {
      read += piece.toString();
    });
    client.once('end', () => resolve(read));
  });
  return [text.split('\r\n', 1)[0], /"code":"(\w+)"/.exec(text)?.[1]];
}

it('RV-61: a result for which there is no room becomes OUTCOME_UNKNOWN, because its function has run', async () => {
  const tight = await world(LARGE.length);
  expect([await told(tight.send('app::large')), tight.ran]).toEqual([['HTTP/1.1 409 Conflict', 'OUTCOME_UNKNOWN'], ['app::large']]);
  const wide = await world(LARGE.length + 100);
  expect(await told(wide.send('app::large'))).toEqual(['HTTP/1.1 200 OK', undefined]);
});

it('a call whose client leaves gives its place back', async () => {
  const { send, calls, ran } = await world(LARGE.length);
  const leaving = [send('app::never'), send('app::never')];
  await expect.poll(() => ran.length).toBe(2);
  expect(calls.counts.running).toBe(2);
  for (const client of leaving) client.destroy();
  await expect.poll(() => calls.counts.running).toBe(0);
});
