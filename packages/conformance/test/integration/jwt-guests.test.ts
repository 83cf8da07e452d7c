import type { RbacConfig } from '@rivulet/engine';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { inSeconds, jwtConfig, userToken as token } from '@rivulet/testkit/jwt-tokens';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const APP = { rivulet: { call: ['app::*', 'publish', 'stream::*', 'engine::sessions::disconnect'] } };
const match = (pattern: string) => ({ kind: 'match', pattern }) as const;

async function start(rbac: Partial<RbacConfig> = {}) {
  const started = await startTestEngine({ guest: { rbac: { jwt: jwtConfig(), ...rbac } } });
  const worker = await RawWorker.connect(started.workerUrl);
  await worker.serve('app::read', () => 'read');
  await worker.serve('app::who', (data) => (data as { _caller: unknown })._caller);
  await worker.serve('web::read', () => 'read');
  const guest = (claims: object = APP) => RawWorker.connect(`${started.guestUrl}/?token=${token(claims)}`);
  return { ...started, worker, guest };
}

const refusedWith = async (opening: Promise<unknown>) =>
  await opening.then(
    () => 'connected',
    (error: Error) => error.message,
  );

test('a guest calls what its token grants, and never a function of the engine', async () => {
  const { guest, guestUrl } = await start();
  const ann = await guest();
  expect(await ann.result('app::read', {})).toBe('read');
  expect(await ann.result('app::who', {})).toMatchObject({ kind: 'guest', identity: 'ann', context: { sub: 'ann' } });
  for (const id of [
    'web::read',
    'app::nothing::here',
    'publish',
    'stream::set',
    'stream::list',
    'engine::sessions::disconnect',
    'engine::functions::list',
  ])
    expect([id, await ann.errorCode(id, {})]).toEqual([id, 'FORBIDDEN']);
  expect(await (await guest({})).errorCode('app::read', {})).toBe('FORBIDDEN');
  expect(await refusedWith(RawWorker.connect(guestUrl))).toBe('HTTP 401');
  expect(await refusedWith(RawWorker.connect(`${guestUrl}/?token=${token(APP, 'x'.repeat(48))}`))).toBe('HTTP 401');
  const withHeader = await RawWorker.connect(guestUrl, { headers: { authorization: `Bearer ${token(APP)}` } });
  expect(await withHeader.result('app::read', {})).toBe('read');
});

test('rules of the listener narrow what tokens grant', async () => {
  const { guest } = await start({ exposeFunctions: [match('app::read'), match('web::*'), match('stream::list')] });
  const ann = await guest();
  expect(await ann.result('app::read', {})).toBe('read');
  for (const id of ['app::who', 'web::read', 'stream::list']) expect([id, await ann.errorCode(id, {})]).toEqual([id, 'FORBIDDEN']);
});

test('a guest registers nothing, unless an auth function names it', async () => {
  const { guest, worker } = await start();
  const ann = await guest();
  ann.send({ type: 'registerfunction', id: 'ann::own' });
  ann.send({ type: 'registertrigger', id: 't', trigger_type: 'stream', function_id: 'app::read', config: {} });
  await ann.settled();
  expect(await worker.errorCode('ann::own', {})).toBe('function_not_found');
  const triggers = JSON.stringify(await worker.result('engine::triggers::list', {}));
  expect(triggers).not.toContain('app::read');

  const asking = await start({ authFunction: 'app::auth' });
  await asking.worker.serve('app::auth', (data) => {
    const { role } = (data as { claims: { role?: string } }).claims;
    return role === 'server' ? { allow_function_registration: true } : { forbidden_functions: ['app::read'] };
  });
  const server = await asking.guest({ ...APP, role: 'server' });
  await server.serve('ann::own', () => 'own');
  expect(await asking.worker.result('ann::own', {})).toBe('own');
  const other = await asking.guest({ ...APP, sub: 'bob' });
  other.send({ type: 'registerfunction', id: 'bob::own' });
  await other.settled();
  expect(await asking.worker.errorCode('bob::own', {})).toBe('function_not_found');
  expect(await other.errorCode('app::read', {})).toBe('FORBIDDEN');
  expect(await other.result('app::who', {})).toMatchObject({ identity: 'bob' });
});

test('all must allow: an auth function can refuse, end the session earlier, and not lengthen it', async () => {
  const { guest, worker } = await start({ authFunction: 'app::auth', exposeFunctions: [match('app::*')] });
  await worker.serve('app::auth', (data) => {
    const { sub } = (data as { claims: { sub: string } }).claims;
    if (sub === 'bob') return { unauthorized: true };
    return { identity: 'root', expires_at_ms: Date.now() + 86_400_000, allowed_functions: ['web::read', 'app::read'] };
  });
  expect(await refusedWith(guest({ ...APP, sub: 'bob' }))).toBe('HTTP 401');
  const ann = await guest({ ...APP, exp: inSeconds(2) });
  expect(await ann.errorCode('web::read', {})).toBe('FORBIDDEN');
  expect(await ann.result('app::who', {})).toMatchObject({ identity: 'ann' });
  expect(await ann.closed).toMatchObject({ code: 1008, reason: 'access expired' });
  const cai = await guest({ ...APP, sub: 'cai' });
  expect(await worker.result('engine::sessions::disconnect', { identity: 'root' })).toEqual({ disconnected: 0 });
  expect(await worker.result('engine::sessions::disconnect', { identity: 'cai' })).toEqual({ disconnected: 1 });
  expect(await cai.closed).toMatchObject({ code: 1008, reason: 'access revoked' });
});
