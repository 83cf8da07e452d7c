import { readFileSync } from 'node:fs';
import { percentEncode } from '@rivulet/protocol';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawSocket, upgradeHead } from '@rivulet/testkit/peers/raw-socket';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { STRANGE_STRINGS, STRANGE_VALUES } from '@rivulet/testkit/strange-strings';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ask } from '../harness/admin-client.js';
import { Bystanders } from '../harness/bystanders.js';
import { FUNCTION_FIELDS, WORKER_FRAMES } from '../harness/hostile-corpus.js';

const ADMIN_DOCUMENT = readFileSync(new URL('../../../../docs/admin.md', import.meta.url), 'utf8');
/** The answers of the admin listener to a request that a client has made wrong, or right. */
const ADMIN_STATUSES: ReadonlySet<number> = new Set([200, 400, 404, 426]);
const FAST = 1_000_000;
const RATES = { maxFramesPerSecond: FAST, maxBytesPerSecond: 2 ** 30 };

/** Starts an engine whose listeners call functions of `worker`, and records failures of this process. */
async function start(options: TestEngineOptions = {}) {
  const engine = await startTestEngine({
    ...options,
    stream: { ...RATES, maxJoinsPerSecond: FAST, ...options.stream },
    http: { defaultTimeoutMs: 300, ...options.http },
    guest: { ...options.guest, manager: { ...RATES, maxCallsPerSecond: FAST, ...options.guest?.manager } },
  });
  const uncaught: unknown[] = [];
  const note = (error: unknown) => {
    uncaught.push(error);
  };
  process.on('unhandledRejection', note).on('uncaughtException', note);
  onTestFinished(() => {
    process.off('unhandledRejection', note).off('uncaughtException', note);
  });
  const worker = await RawWorker.connect(engine.workerUrl);
  // The bystanders must get in before the answers become hostile.
  if (options.stream?.authFunction !== undefined) await worker.serve(options.stream.authFunction, () => ({ context: 'c' }));
  const bystanders = await Bystanders.of(engine);
  const harmless = async (after: string) => {
    await bystanders.undisturbed(after);
    expect([after, uncaught, Object.keys(Object.prototype)]).toEqual([after, [], []]);
  };
  return { ...engine, worker, harmless };
}

test('E1 a refresh with a lone surrogate is a question like any other: the auth function answers it, and the engine lives', async () => {
  const { workerUrl, streamUrl, log } = await startTestEngine({ stream: { authFunction: 'app::auth' } });
  const worker = await RawWorker.connect(workerUrl);
  const asked: string[] = [];
  await worker.serve('app::auth', (input) => {
    asked.push((input as { query_params: { token?: string[] } }).query_params.token?.[0] ?? '');
    return {};
  });
  const client = await StreamSocket.open(`${streamUrl}/stream/chat/room?token=good&positions=1`);
  await client.take('sync');
  // JSON.stringify writes an escape sequence, which JSON can carry.
  client.send({ type: 'refresh', data: { token: '\ud800' } });
  expect(await client.takeControl('refreshed')).toEqual({ expiresAtMs: null });
  expect(asked).toEqual(['good', '\ufffd']);
  expect(log.filter(({ event }) => event === 'background_failed')).toEqual([]);
});

describe('S27 strange texts in every text field', () => {
  test('of a stream client', async () => {
    const { streamUrl, worker, harmless } = await start({ stream: { authFunction: 'app::auth', joinTimeoutMs: 2_000 }, guest: {} });
    await worker.serve('app::join', () => ({ lease: { item_id: 'mine', client_data: true } }));
    await worker.bind('stream:join', 'app::join', { stream_name: 's' });
    const valid = { subscriptionId: 'a', streamName: 's', groupId: 'g', id: 'i', since: 'e:1', positions: true, token: 't', data: {} };
    for (const type of ['join', 'leave', 'refresh', 'lease', 'unknown']) {
      for (const field of Object.keys(valid)) {
        const client = await StreamSocket.open(`${streamUrl}/?token=t`);
        for (const text of STRANGE_STRINGS) client.send({ type, data: { ...valid, [field]: text } });
        for (const text of STRANGE_STRINGS) client.send({ type, data: { ...valid, [text]: text } });
        await client.settled();
        client.socket.terminate();
        await harmless(`${type} ${field}`);
      }
    }
    const client = await StreamSocket.open(`${streamUrl}/?token=t`);
    for (const text of STRANGE_STRINGS) client.send({ type: text, data: valid, [text]: text });
    await client.settled();
    await harmless('type');
  });

  test('of an upgrade: path, query, headers and sub-protocols, on every listener and for channels', async () => {
    const { streamUrl, workerUrl, guestUrl, worker, harmless } = await start({
      stream: { authFunction: 'app::auth' },
      guest: { rbac: { authFunction: 'app::guest' } },
    });
    await worker.serve('app::guest', () => ({}));
    const { writer } = (await worker.result('engine::channels::create', {})) as {
      readonly writer: { readonly channel_id: string; readonly access_key: string };
    };
    for (const url of [streamUrl, workerUrl, guestUrl]) {
      for (const text of STRANGE_STRINGS) {
        const inTarget = text.replace(/[^!-~]/g, (char) => `%${(char.charCodeAt(0) & 255).toString(16)}`).slice(0, 8_000);
        const inHeader = Buffer.from(text.slice(0, 4_000))
          .toString('latin1')
          .replace(/[\r\n]/g, '');
        const heads = [
          upgradeHead(`/${inTarget}`),
          upgradeHead(`/stream/${inTarget}/${inTarget}/${inTarget}?since=${inTarget}&token=${inTarget}&${inTarget}`),
          upgradeHead(`/ws/channels/${inTarget}?key=${inTarget}&dir=${inTarget}`),
          upgradeHead(`/ws/channels/${writer.channel_id}?key=${inTarget}&dir=write`),
          upgradeHead(`/?token=t/ws/channels/${inTarget}?key=${inTarget}&dir=read`),
          upgradeHead('/', [`Sec-WebSocket-Protocol: Authorization, ${inHeader}`]),
          ...['Origin', 'Host', 'Cookie', 'X-Forwarded-For', 'Authorization', 'Sec-WebSocket-Extensions', 'traceparent'].map((name) =>
            upgradeHead('/', [`${name}: ${inHeader}`]),
          ),
        ];
        await Promise.all(
          heads.map(async (head) => {
            const raw = await RawSocket.connect(url);
            raw.socket.write(head, 'latin1');
            await Promise.race([raw.upgraded, raw.ended]);
            raw.socket.destroy();
          }),
        );
      }
      await harmless(url);
    }
  });

  test('of the paths, queries and bodies of the admin listener', async () => {
    const { adminUrl, log, harmless } = await start({ admin: {}, guest: {} });
    const paths = Array.from(ADMIN_DOCUMENT.matchAll(/^\| (GET|PUT|POST|DELETE) \| `(\/[^`]*)` \|/gm), ([, method = '', path = '']) => ({
      method,
      path,
    }));
    expect(paths.length).toBeGreaterThan(25);
    for (const { method, path } of paths) {
      const named = (name: string) => path.replace(/\{\w+\}/g, () => name);
      const query = (name: string) => (method === 'GET' ? `after=${name}&search=${name}` : `timeout_ms=${name}&${name}=1`);
      // A longer text makes the head too long, and then the engine closes the connection.
      for (const text of STRANGE_STRINGS.filter(({ length }) => length < 4_000)) {
        const name = percentEncode(text);
        const targets = [named(name), `${named('a')}?${query(name)}`];
        const json = method === 'GET' ? undefined : { type: text, data: text, id: text, session_id: text, [text]: text };
        const replies = await Promise.all(targets.map((target) => ask(adminUrl, target, { method, json })));
        for (const { status } of replies)
          expect([method, path, text.slice(0, 40), ADMIN_STATUSES.has(status), status]).toMatchObject({ 3: true });
      }
      await harmless(`${method} ${path}`);
    }
    expect(log.map(({ event }) => event)).not.toContain('admin_request_failed');
  });

  test.each([
    ['worker', 'memory'],
    ['guest', 'memory'],
    ['worker', 'lmdb'],
  ])('of the frames of a %s, over a store in %s', async (who, store) => {
    const { workerUrl, guestUrl, worker, harmless } = await start({
      lmdb: store === 'lmdb',
      guest: {
        rbac: {
          authFunction: 'app::guest',
          onFunctionRegistration: 'app::hook',
          onTriggerRegistration: 'app::hook',
          onTriggerTypeRegistration: 'app::hook',
        },
      },
    });
    await worker.serve('app::guest', () => ({
      allowed_functions: FUNCTION_FIELDS.map(({ id }) => id),
      allow_trigger_type_registration: true,
    }));
    await worker.serve('app::hook', () => ({}));
    const url = who === 'worker' ? workerUrl : guestUrl;
    for (const [type, fields] of Object.entries(WORKER_FRAMES)) {
      const peer = await RawWorker.connect(url);
      for (const field of fields)
        for (const text of STRANGE_STRINGS) peer.send({ type, id: 'f', trigger_type: 'stream', function_id: 'app::f', [field]: text });
      await peer.settled();
      peer.socket.terminate();
      await harmless(`${who} ${type}`);
    }
    const peer = await RawWorker.connect(url);
    // The engine looks up the position of a list in the store.
    await worker.result('stream::set', { stream_name: 'listed', group_id: 'g', item_id: 'i', data: 1 });
    await worker.result('state::set', { scope: 'listed', key: 'k', value: 1 });
    const groups = { 'stream::list': { stream_name: 'listed', group_id: 'g' }, 'state::list': { scope: 'listed' } };
    for (const [id, group] of Object.entries(groups))
      for (const after of STRANGE_STRINGS) await worker.call(id, { ...group, limit: 1, after });
    await harmless(`${who} after`);
    for (const { id, valid, fields } of FUNCTION_FIELDS) {
      for (const field of Object.keys(fields))
        for (const text of STRANGE_STRINGS)
          peer.send({ type: 'invokefunction', invocation_id: 'i', function_id: id, data: { ...valid, [field]: text } });
      await peer.settled();
      await harmless(`${who} ${id}`);
    }
  });

  test('of an HTTP request', async () => {
    const { worker, httpUrl, harmless } = await start();
    await worker.serve('app::echo', (input) => ({ body: input as Frame }));
    for (const method of ['GET', 'POST']) await worker.bind('http', 'app::echo', { api_path: '/echo/:id', http_method: method });
    for (const text of STRANGE_STRINGS) {
      const inTarget = text.replace(/[^!-~]|[?#]/g, '%').slice(0, 8_000);
      const inHeader = Buffer.from(text.slice(0, 4_000))
        .toString('latin1')
        .replace(/[\r\n]/g, '');
      const body = Buffer.from(JSON.stringify({ [text]: text }));
      const requests = [
        `GET /echo/${inTarget} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
        `GET /echo/a?${inTarget}=${inTarget} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
        `GET /echo/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Text: ${inHeader}\r\nCookie: ${inHeader}\r\nOrigin: ${inHeader}\r\n\r\n`,
        `POST /echo/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: ${inHeader}\r\nContent-Length: ${body.length}\r\n\r\n${body.toString('latin1')}`,
        `POST /echo/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.toString('latin1')}`,
      ];
      await Promise.all(
        requests.map(async (request) => {
          const raw = await RawSocket.connect(httpUrl);
          raw.socket.write(request, 'latin1');
          await raw.ended;
        }),
      );
    }
    await harmless('http');
  });
});

describe('S27 hostile answers', () => {
  const answers: readonly (() => unknown)[] = [
    ...STRANGE_VALUES.map((value) => () => value),
    () => undefined,
    ...STRANGE_VALUES.map((value) => () => {
      throw new WorkerError({ code: value, message: value, stacktrace: value });
    }),
  ];
  const everywhere = (value: unknown, ...keys: string[]) => Object.fromEntries(keys.map((key) => [key, value]));

  test('of auth functions, hooks and middleware', async () => {
    const { worker, streamUrl, guestUrl, harmless } = await start({
      stream: { authFunction: 'app::auth' },
      guest: {
        rbac: {
          authFunction: 'app::guest',
          onFunctionRegistration: 'app::hook',
          onTriggerRegistration: 'app::hook',
          onTriggerTypeRegistration: 'app::hook',
        },
        manager: { middlewareFunction: 'app::middleware' },
      },
    });
    let answer: () => unknown = () => ({});
    const admitting = { allowed_functions: ['app::f'], allow_trigger_type_registration: true };
    await worker.serve('app::hook', () => answer());
    await worker.serve('app::middleware', () => answer());
    await worker.serve('app::f', () => 1);
    const tryAll = async () => {
      const client = await StreamSocket.open(`${streamUrl}/stream/s/g?token=t`).catch(() => undefined);
      // A refusal closes the connection before the pong arrives.
      await Promise.race([client?.settled().catch(() => {}), client?.closed]);
      client?.socket.terminate();
      const guest = await RawWorker.connect(`${guestUrl}/?k=1`).catch(() => undefined);
      if (guest === undefined) return;
      guest.send({ type: 'registerfunction', id: 'g::f' });
      guest.send({ type: 'registertriggertype', id: 'g-type', description: '' });
      guest.send({ type: 'registertrigger', id: 't', trigger_type: 'stream', function_id: 'g::f', config: { stream_name: 's' } });
      await Promise.race([guest.call('app::f', {}), guest.closed]);
      guest.socket.terminate();
    };
    let n = 0;
    for (const hostile of answers) {
      answer = hostile;
      await worker.serve('app::auth', () => hostile());
      await worker.serve('app::guest', () => hostile());
      await tryAll();
      await worker.serve('app::guest', () => admitting);
      await tryAll();
      if (++n % 10 === 0) await harmless(`answer ${n}`);
    }
    for (const value of STRANGE_VALUES) {
      answer = () => everywhere(value, 'id', 'function_id', 'trigger_id', 'trigger_type', 'config', 'metadata', 'description');
      await worker.serve('app::auth', () => everywhere(value, 'context', 'identity', 'expires_at_ms'));
      await worker.serve('app::guest', () => ({
        ...admitting,
        ...everywhere(
          value,
          'forbidden_functions',
          'allowed_trigger_types',
          'function_registration_prefix',
          'context',
          'namespaces',
          'identity',
          'expires_at_ms',
        ),
      }));
      await tryAll();
      await worker.serve('app::guest', () => admitting);
      await tryAll();
    }
    await harmless('members of answers');
  });

  test('of join functions, HTTP functions, their middleware and conditions, and of backends', async () => {
    const { worker, streamUrl, httpUrl, harmless } = await start({
      http: { middleware: [{ functionId: 'app::all', phase: 'preHandler', priority: 0 }] as never },
    });
    let answer: () => unknown = () => ({});
    for (const id of ['join', 'http', 'middleware', 'condition']) await worker.serve(`app::${id}`, () => answer());
    await worker.serve('app::all', () => ({}));
    for (const operation of ['get', 'set', 'delete', 'list', 'list_groups', 'update'])
      await worker.serve(`stream::${operation}(own)`, () => answer());
    await worker.bind('stream:join', 'app::join', { stream_name: 's' });
    await worker.bind('http', 'app::http', { api_path: '/plain' });
    await worker.bind('http', 'app::http', { api_path: '/middleware', middleware_function_ids: ['app::middleware'] });
    await worker.bind('http', 'app::http', { api_path: '/condition', condition_function_id: 'app::condition' });
    const client = await StreamSocket.open(streamUrl);
    const own = { stream_name: 'own', group_id: 'g', item_id: 'i' };
    const tryAll = async (n: number) => {
      client.joinWithPositions(`s${n}`, 's', 'g');
      client.leave(`s${n}`, 's', 'g');
      client.joinWithPositions(`o${n}`, 'own', 'g');
      client.leave(`o${n}`, 'own', 'g');
      await Promise.all([
        ...['/plain', '/middleware', '/condition'].map((path) =>
          fetch(httpUrl + path).then(
            (response) => response.arrayBuffer(),
            () => undefined,
          ),
        ),
        ...['get', 'delete', 'list', 'list_groups'].map((operation) => worker.call(`stream::${operation}`, own)),
        worker.call('stream::set', { ...own, data: 1 }),
        worker.call('stream::update', { ...own, ops: [{ type: 'set', path: 'a', value: 1 }] }),
      ]);
      await client.settled();
    };
    for (const [n, hostile] of answers.entries()) {
      answer = hostile;
      await tryAll(n);
      if (n % 10 === 0) await harmless(`answer ${n}`);
    }
    for (const [n, value] of STRANGE_VALUES.entries()) {
      const name = String(value).slice(0, 300);
      answer = () => ({
        ...everywhere(value, 'status_code', 'body', 'action', 'response', 'old_value', 'new_value', 'unauthorized'),
        headers: { [name]: value, 'x-text': value, 'content-type': value, 'content-length': '3' },
        lease: everywhere(value, 'item_id', 'data', 'grace_ms', 'client_data'),
      });
      await tryAll(1_000 + n);
      answer = () => ({
        headers: [value, `${name}: ${name}`, 'Content-Length: 3'],
        lease: { item_id: 'i', data: value },
        action: 'respond',
        response: { headers: value },
      });
      await tryAll(2_000 + n);
    }
    await harmless('members of answers');
  });
});
