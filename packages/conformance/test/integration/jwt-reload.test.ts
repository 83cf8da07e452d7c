import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CliProcess } from '@rivulet/testkit/engines/cli-process';
import { inSeconds, OTHER_RSA, RSA, SECRET, token, userToken } from '@rivulet/testkit/jwt-tokens';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';

const OTHER_SECRET = 'another-secret-of-the-tests-with-48-characters!!';
const FILE = 'iii-config.yaml';
const pem = ({ publicKey }: typeof RSA) => publicKey.export({ type: 'spki', format: 'pem' }).toString();

interface Settings {
  readonly secret?: string;
  readonly join?: string;
  readonly call?: string;
  readonly more?: string;
}

const configWith = ({ secret = SECRET, join: groups = 'chat/*', call = 'app::*', more = '' }: Settings) => `workers:
  - name: iii-worker-manager
    config: { port: 0, host: 127.0.0.1 }
  - name: iii-worker-manager
    config:
      port: 0
      host: 127.0.0.1
      rbac: { auth: { jwt: { algorithms: [RS256], public_key: key.pem, grants: { call: ["${call}"] } } } }
  - name: iii-stream
    config:
      port: 0
      host: 127.0.0.1
      auth_reject_mode: http
      adapter: { name: kv, config: { store_method: in_memory } }
      auth: { jwt: { algorithms: [HS256], secret: "${secret}", grants: { join: ["${groups}"] } } }
${more}`;

const outcomeOf = async (opening: Promise<unknown>) =>
  await opening.then(
    () => 'connected',
    (error: Error) => error.message,
  );

/** Starts a real process. `reload` writes files, sends SIGHUP, and resolves with the line of the log about it. */
async function start(settings: Settings = {}) {
  const cwd = directoryWith({ [FILE]: configWith(settings), 'key.pem': pem(RSA) });
  const engine = new CliProcess(['start'], cwd);
  const [workerUrl = '', guestUrl = '', streamUrl = ''] = await engine.ready();
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::read', () => 'read');
  await worker.serve('web::read', () => 'read');
  let reloads = 0;
  const reload = async (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
    engine.signal('SIGHUP');
    reloads++;
    const [, line] = await engine.output('stderr', new RegExp(`(?:tokens_reload[^]*){${reloads - 1}}(tokens_reload\\w+.*)\n`));
    return line;
  };
  const client = (secret: string, group = 'room-1', stream = 'chat') =>
    StreamSocket.open(`${streamUrl}/stream/${stream}/${group}?token=${userToken({}, secret)}`);
  const guest = (keys = RSA) =>
    RawWorker.connect(`${guestUrl}/?token=${token({ sub: 'ann', exp: inSeconds(3_600) }, { alg: 'RS256' }, keys.privateKey)}`);
  return { engine, worker, reload, client, guest, streamUrl };
}

test('SIGHUP reads keys and grants again on every listener, and ends no session', async () => {
  const { reload, client, guest, engine } = await start();
  const before = await client(SECRET);
  await before.take('sync');
  const oldGuest = await guest();
  expect(await oldGuest.result('app::read', {})).toBe('read');

  expect(await reload({ [FILE]: configWith({ secret: OTHER_SECRET, join: 'news/*', call: 'web::*' }), 'key.pem': pem(OTHER_RSA) })).toMatch(
    /^tokens_reloaded/,
  );
  expect(await outcomeOf(client(SECRET))).toBe('HTTP 401');
  expect(await outcomeOf(guest())).toBe('HTTP 401');
  const after = await client(OTHER_SECRET, 'today', 'news');
  expect((await after.take('sync')).groupId).toBe('today');
  after.joinWithPositions('s1', 'chat', 'room-1');
  expect(await after.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'FORBIDDEN' });
  const newGuest = await guest(OTHER_RSA);
  expect([await newGuest.result('web::read', {}), await newGuest.errorCode('app::read', {})]).toEqual(['read', 'FORBIDDEN']);

  before.joinWithPositions('s2', 'chat', 'room-2');
  expect((await before.take('sync')).groupId).toBe('room-2');
  expect(await oldGuest.result('app::read', {})).toBe('read');
  engine.signal('SIGTERM');
  expect((await engine.finished).code).toBe(0);
});

test('a plain read is decided again after SIGHUP, although its allow was kept', async () => {
  const { reload, streamUrl } = await start();
  const read = async () => (await fetch(`${streamUrl.replace('ws:', 'http:')}/stream/chat/room-1?token=${userToken({ exp: 4e9 })}`)).status;
  expect(await read()).toBe(200);
  await reload({ [FILE]: configWith({ secret: OTHER_SECRET }) });
  expect(await read()).toBe(401);
});

test('a file with a mistake, or with other listeners, changes nothing', async () => {
  const { reload, client, guest } = await start();
  expect(await reload({ [FILE]: configWith({ secret: 'short' }) })).toMatch(/^tokens_reload_failed.*secret/);
  expect(await reload({ [FILE]: configWith({ secret: OTHER_SECRET, join: 'chat/x*' }) })).toMatch(/^tokens_reload_failed.*grants/);
  expect(await reload({ [FILE]: configWith({ secret: OTHER_SECRET }), 'key.pem': 'no key' })).toMatch(/^tokens_reload_failed.*public_key/);
  const more = '  - name: iii-worker-manager\n    config: { port: 0, host: 127.0.0.1 }\n';
  expect(await reload({ [FILE]: configWith({ secret: OTHER_SECRET, more }), 'key.pem': pem(RSA) })).toMatch(
    /^tokens_reload_failed.*restart/,
  );
  expect(await reload({ [FILE]: 'workers: {' })).toMatch(/^tokens_reload_failed/);
  expect(await outcomeOf(client(OTHER_SECRET))).toBe('HTTP 401');
  expect((await (await client(SECRET)).take('sync')).groupId).toBe('room-1');
  expect(await (await guest()).result('app::read', {})).toBe('read');
});

test('the keys of a key server stay known over SIGHUP, also while the server is down', async () => {
  const jwk = { ...RSA.publicKey.export({ format: 'jwk' }), kid: 'one' };
  const server = createServer((_request, response) => void response.end(JSON.stringify({ keys: [jwk] })));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const config = (groups: string) => `workers:
  - name: iii-worker-manager
    config: { port: 0, host: 127.0.0.1 }
  - name: iii-stream
    config:
      port: 0
      host: 127.0.0.1
      adapter: { name: kv, config: { store_method: in_memory } }
      auth: { jwt: { algorithms: [RS256], jwks_url: "http://127.0.0.1:${port}/keys", audience: [app], grants: { join: ["${groups}"] } } }
`;
  const cwd = directoryWith({ [FILE]: config('chat/*') });
  const engine = new CliProcess(['start'], cwd);
  const [, streamUrl = ''] = await engine.ready();
  const right = token({ sub: 'ann', aud: 'app', exp: inSeconds(3_600) }, { alg: 'RS256', kid: 'one' }, RSA.privateKey);
  const read = async (path: string) => (await fetch(`${streamUrl.replace('ws:', 'http:')}/stream/${path}?token=${right}`)).status;
  expect(await read('chat/room-1')).toBe(200);
  await new Promise((resolve) => server.close(resolve));
  writeFileSync(join(cwd, FILE), config('news/*'));
  engine.signal('SIGHUP');
  await engine.output('stderr', /tokens_reloaded/);
  expect([await read('chat/room-1'), await read('news/today')]).toEqual([403, 200]);
});

test('an engine that checks no tokens ends at SIGHUP, as before', async () => {
  const cwd = directoryWith({ [FILE]: 'workers:\n  - name: iii-worker-manager\n    config: { port: 0, host: 127.0.0.1 }\n' });
  const engine = new CliProcess(['start'], cwd);
  await engine.ready();
  engine.signal('SIGHUP');
  expect((await engine.finished).signal).toBe('SIGHUP');
});
