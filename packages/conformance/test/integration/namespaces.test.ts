import { randomUUID } from 'node:crypto';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, it } from 'vitest';

/** Connects a worker that announces this namespace in its first frame, as SDK 0.25 does. */
async function workerIn(url: string, namespace: string): Promise<RawWorker> {
  const worker = await RawWorker.connect(url);
  announce(worker, namespace);
  await worker.settled();
  return worker;
}

function announce(worker: RawWorker, namespace: unknown, name = 'app'): void {
  const data = { name, runtime: 'node', version: '0.25.0', pid: 1, namespace };
  worker.send({ type: 'invokefunction', function_id: 'engine::workers::register', data, action: { type: 'void' } });
}

const errorOf = (answer: Frame) => answer.error as { readonly code: string; readonly message: string };

it('a function is found in the namespace of its worker only, and the error names the known namespaces', async () => {
  const { workerUrl } = await startTestEngine();
  const plain = await RawWorker.connect(workerUrl);
  const tenant = await workerIn(workerUrl, 'tenant');
  await plain.serve('app::f', () => 'default');
  await tenant.serve('app::f', () => 'tenant');
  await plain.serve('app::only', () => 1);
  expect((await plain.call('app::f', {})).result).toBe('default');
  expect((await plain.call('app::f', {}, { namespace: 'tenant' })).result).toBe('tenant');
  expect((await tenant.call('app::f', {}, { namespace: 'tenant' })).result).toBe('tenant');
  expect((await tenant.call('app::f', {})).result).toBe('default');
  expect((await tenant.call('app::f', {}, { namespace: null })).result).toBe('default');
  for (const caller of [plain, tenant]) {
    const error = errorOf(await caller.call('app::only', {}, { namespace: 'analytics' }));
    expect(error.code).toBe('function_not_found');
    expect(error.message).toContain('"analytics"');
    expect(error.message).toContain('known namespaces: "default", "tenant"');
  }
  await tenant.closeSeenBy(plain);
  expect(errorOf(await plain.call('app::f', {}, { namespace: 'tenant' })).code).toBe('function_not_found');
  expect((await plain.call('app::f', {})).result).toBe('default');
});

it.each([' ', '', '\t', '\u0000x', 'n'.repeat(257), 7, {}, '\ud800'])(
  'namespace %j is refused with INVALID_NAMESPACE',
  async (namespace) => {
    const { workerUrl } = await startTestEngine();
    const worker = await RawWorker.connect(workerUrl);
    await worker.serve('app::f', () => 1);
    expect(await worker.errorCode('app::f', {}, { namespace })).toBe('INVALID_NAMESPACE');
    expect(await worker.errorCode('stream::list_all', {}, { namespace })).toBe('INVALID_NAMESPACE');
    expect(await worker.errorCode('engine::workers::register', { name: 'w', namespace })).toBe('INVALID_NAMESPACE');
    for (const key of ['namespace', 'trigger_namespace']) {
      const id = randomUUID();
      worker.send({ type: 'registertrigger', id, trigger_type: 'stream', function_id: 'app::f', config: {}, [key]: namespace });
      const refused = await worker.take('triggerregistrationresult', (frame) => frame.id === id);
      expect(errorOf(refused).code).toBe('INVALID_NAMESPACE');
    }
  },
);

it('engine functions and trigger types are found from every namespace, and a trigger calls into its own', async () => {
  const { workerUrl } = await startTestEngine();
  const plain = await RawWorker.connect(workerUrl);
  const tenant = await workerIn(workerUrl, 'tenant');
  const seen: string[] = [];
  await plain.serve('app::on', () => void seen.push('default'));
  await tenant.serve('app::on', () => void seen.push('tenant'));
  await tenant.bind('stream', 'app::on', { stream_name: 'chat' }, { namespace: 'tenant', trigger_namespace: 'tenant' });
  const set = { stream_name: 'chat', group_id: 'g', item_id: 'i', data: 1 };
  expect((await tenant.call('stream::set', set, { namespace: 'tenant' })).error).toBeUndefined();
  expect((await tenant.take('invokefunction')).function_id).toBe('app::on');
  expect(seen).toEqual(['tenant']);
});

it('registrations wait for the announcement, at first in no namespace and then in its own', async () => {
  const { workerUrl } = await startTestEngine();
  const plain = await RawWorker.connect(workerUrl);
  await plain.serve('app::f', () => 'default');
  const tenant = await RawWorker.connect(workerUrl);
  tenant.send({ type: 'registertriggertype', id: 'hook' });
  tenant.send({ type: 'registerfunction', id: 'app::f' });
  tenant.send({ type: 'registerfunction', id: 'app::g' });
  tenant.send({ type: 'registertrigger', id: randomUUID(), trigger_type: 'hook', function_id: 'app::f', config: {}, namespace: 'tenant' });
  tenant.send({ type: 'ping' });
  await tenant.take('pong');
  expect((await plain.call('app::f', {})).result).toBe('default');
  expect(await plain.errorCode('app::g', {})).toBe('function_not_found');
  announce(tenant, 'tenant');
  expect(await tenant.take('registertrigger')).toMatchObject({ function_id: 'app::f', namespace: 'tenant' });
  plain.send({ type: 'invokefunction', invocation_id: randomUUID(), function_id: 'app::g', namespace: 'tenant', data: 1 });
  expect(await tenant.take('invokefunction')).toMatchObject({ function_id: 'app::g' });
  expect(await plain.errorCode('app::g', {})).toBe('function_not_found');
  expect((await plain.call('app::f', {})).result).toBe('default');
});

it('a worker that announces itself late takes what it registered along', async () => {
  const { workerUrl } = await startTestEngine();
  const plain = await RawWorker.connect(workerUrl);
  const late = await RawWorker.connect(workerUrl);
  await late.serve('app::f', () => 1);
  expect((await plain.call('app::f', {})).result).toBe(1);
  announce(late, 'tenant');
  await late.settled();
  expect(await plain.errorCode('app::f', {})).toBe('function_not_found');
  expect((await plain.call('app::f', {}, { namespace: 'tenant' })).result).toBe(1);
});

it('a custom trigger type is found in the namespace of its registrant, then in default, and a named one in no other', async () => {
  const { workerUrl } = await startTestEngine();
  const common = await RawWorker.connect(workerUrl);
  const tenant = await workerIn(workerUrl, 'tenant');
  const other = await workerIn(workerUrl, 'other');
  common.send({ type: 'registertriggertype', id: 'hook' });
  await common.settled();
  const open = await tenant.bind('hook', 'app::f', {}, { namespace: 'tenant' });
  expect((await common.take('registertrigger')).id).toBe(open);
  const strict = await tenant.bind('hook', 'app::f', {}, { namespace: 'tenant', trigger_namespace: 'other' });
  other.send({ type: 'registertriggertype', id: 'hook' });
  expect((await other.take('registertrigger')).id).toBe(strict);
  // The provider in the binding's own namespace wins as soon as it exists.
  const own = await workerIn(workerUrl, 'tenant');
  own.send({ type: 'registertriggertype', id: 'hook' });
  expect((await own.take('registertrigger')).id).toBe(open);
  expect((await common.take('unregistertrigger')).id).toBe(open);
});

it('a stream that a worker of a namespace serves is served to callers of all namespaces', async () => {
  const { workerUrl, streamUrl } = await startTestEngine();
  const plain = await RawWorker.connect(workerUrl);
  const tenant = await workerIn(workerUrl, 'tenant');
  await tenant.serve('stream::list(orders)', () => [{ id: 'o1' }]);
  await tenant.serve('stream::get(orders)', () => ({ id: 'o1' }));
  expect((await plain.call('stream::list', { stream_name: 'orders', group_id: 'g' })).result).toEqual([{ id: 'o1' }]);
  const watcher = await StreamSocket.open(`${streamUrl}/stream/orders/g`);
  expect((await watcher.take('sync')).event).toMatchObject({ data: [{ id: 'o1' }] });
});

it('the engine sends neither of the two conflict frames', async () => {
  const { workerUrl } = await startTestEngine();
  const one = await workerIn(workerUrl, 'tenant');
  const two = await workerIn(workerUrl, 'tenant');
  await one.serve('app::f', () => 1);
  await two.serve('app::f', () => 2);
  expect((await one.call('app::f', {}, { namespace: 'tenant' })).result).toBe(2);
  for (const { inbox } of [one, two]) expect(inbox.all.filter(({ type }) => type === 'registrationrejected')).toEqual([]);
});

it('a guest session reaches another namespace only where a rule names it, and learns of no namespace', async () => {
  const exposeFunctions = [
    { kind: 'match', pattern: '*' },
    { kind: 'match', pattern: 'app::shared', namespace: 'tenant' },
  ] as const;
  const { workerUrl, guestUrl } = await startTestEngine({ guest: { rbac: { exposeFunctions } } });
  const tenant = await workerIn(workerUrl, 'tenant');
  for (const id of ['app::shared', 'app::own']) await tenant.serve(id, () => id);
  const guest = await RawWorker.connect(guestUrl);
  expect((await guest.call('app::shared', {}, { namespace: 'tenant' })).result).toBe('app::shared');
  for (const namespace of ['tenant', 'nowhere']) {
    const error = errorOf(await guest.call('app::own', {}, { namespace }));
    expect(error.code).toBe('FORBIDDEN');
    expect(error.message).not.toContain('known namespaces');
  }
  // Decision 12: the message for an exposed id that nobody serves is the one for a hidden id.
  const absent = errorOf(await guest.call('app::absent', {}));
  expect(absent.code).toBe('FORBIDDEN');
  const hidden = errorOf(await guest.call('engine::hidden', {}));
  expect(absent.message).toBe(hidden.message.replace('engine::hidden', 'app::absent'));
  // The announcement of a guest moves nothing: its functions stay in `default`.
  announce(guest, 'tenant');
  await guest.serve('app::page', () => 1);
  expect((await tenant.call('app::page', {})).result).toBe(1);
  expect(await tenant.errorCode('app::page', {}, { namespace: 'tenant' })).toBe('function_not_found');
});
