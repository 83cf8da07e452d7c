import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, it } from 'vitest';

const OPS = [
  { type: 'increment', path: 'a "b"', by: 1 },
  { type: 'merge', path: ['x', '__proto__'], value: {} },
  { type: 'append', path: ['p'.repeat(5_000), ''], value: 1 },
  { type: 'increment', path: '', by: 1 },
];

it.each([
  ['state::update', { scope: 's', key: 'k' }, 'state::set', { value: { 'a "b"': 'text' } }],
  ['stream::update', { stream_name: 's', group_id: 'g', item_id: 'i' }, 'stream::set', { data: { 'a "b"': 'text' } }],
])('errors of %s have a doc_url and name the path, shortened', async (id, at, set, value) => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  await worker.result(set, { ...at, ...value });
  const { errors } = (await worker.result(id, { ...at, ops: OPS })) as { errors: { message: string; doc_url: string }[] };
  expect(errors.map(({ message }) => message.slice(message.indexOf('path: ')))).toEqual([
    'path: "a \\"b\\""',
    'path: ["x","__proto__"]',
    `path: ["${'p'.repeat(64)}",""]`,
    'path: ""',
  ]);
  for (const { doc_url: url } of errors) expect(url).toMatch(/^https:\/\/\S+#update-errors$/);
});

it.each([
  ['state::update', { scope: 's', key: 'k' }, 'state::get'],
  ['stream::update', { stream_name: 's', group_id: 'g', item_id: 'i' }, 'stream::get'],
])('%s without effect on a missing item shows an empty object and stores nothing', async (id, at, get) => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  expect(await worker.result(id, { ...at, ops: [] })).toEqual({ old_value: null, new_value: {} });
  expect(await worker.result(id, { ...at, ops: [{ type: 'remove', path: 'x' }] })).toEqual({ old_value: null, new_value: {} });
  expect(await worker.call(get, at)).not.toHaveProperty('result');
});

it('a FORBIDDEN call names rbac.expose_functions, with the same text for a function that nobody has registered', async () => {
  const { workerUrl, guestUrl } = await startTestEngine({ guest: {} });
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::there', () => 1);
  const guest = await RawWorker.connect(guestUrl);
  const textOf = async (id: string, call: Promise<Frame>) => JSON.stringify((await call).error).replaceAll(id, 'ID');
  const texts = new Set<string>();
  for (const id of ['app::there', 'app::absent', 'stream::set']) texts.add(await textOf(id, guest.call(id, {})));
  expect(texts.size).toBe(1);
  expect([...texts][0]).toContain('FORBIDDEN');
  expect([...texts][0]).toContain('rbac.expose_functions');
});

it('the unauthorized frame of an item has its id, that of a group has none', async () => {
  const { workerUrl, streamUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::join', () => ({ unauthorized: true }));
  await worker.bind('stream:join', 'app::join');
  const client = await StreamSocket.open(streamUrl);
  client.send({ type: 'join', data: { subscriptionId: 's1', streamName: 'chat', groupId: 'g', id: 'm1' } });
  expect(await client.take('unauthorized')).toMatchObject({ streamName: 'chat', groupId: 'g', id: 'm1', event: { type: 'unauthorized' } });
  client.send({ type: 'join', data: { subscriptionId: 's2', streamName: 'chat', groupId: 'g' } });
  expect(await client.take('unauthorized')).toMatchObject({ id: null, event: { type: 'unauthorized' } });
});
