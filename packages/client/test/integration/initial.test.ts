import { expect, test } from 'vitest';
import type { InitialState } from '../../src/index.js';
import { connectTo, FakeEngine } from '../fake-engine.js';
import { caughtUp, create, itemSync, remove, resumed, sync, update } from '../frames.js';
import { type Chat, texts, ViewLog, whenView } from '../watch.js';

const value = (id: string) => ({ id, data: { id, text: id } });
/** The answer of `GET /stream/chat/r1`. */
const ANSWER: InitialState<Chat> = { items: [value('m1'), value('m2'), value('m3')], position: 'e1:9' };

async function start(initial: InitialState<Chat>) {
  const engine = await FakeEngine.start();
  const client = await connectTo(engine);
  const log = new ViewLog();
  const view = client.subscribeGroup<Chat>('chat', 'r1', { ...log.listeners, initial });
  const first = { status: view.status, texts: texts(view), position: view.position };
  const peer = await engine.peer();
  return { client, view, log, first, peer, join: await peer.next('join') };
}

test('a view shows its initial state at once, and continues from its position', async () => {
  const { view, log, first, peer, join } = await start(ANSWER);
  expect(first).toEqual({ status: 'stale', texts: ['m1:m1', 'm2:m2', 'm3:m3'], position: { epoch: 'e1', offset: 9 } });
  expect(join).toMatchObject({ since: 'e1:9' });
  peer.send(resumed(join.subscriptionId, 'tail', 9, 12), update(10, 'm1', 'one'), remove(11, 'm2'), create(12, 'm4', 'm4'));
  await whenView(view, ({ status }) => status === 'live');
  expect(texts(view)).toEqual(['m1:one', 'm3:m3', 'm4:m4']);
  // The application knows its own state, so only what came later is reported.
  expect(log.lines).toEqual(['10 update m1 m1>one', '11 delete m2 m2', '12 create m4 m4']);
});

test('items of an initial state keep their places when only their newest values come', async () => {
  const { view, peer, join } = await start(ANSWER);
  peer.send(
    resumed(join.subscriptionId, 'changes', 9, 15),
    update(11, 'm1', 'one', { created: 4 }),
    update(13, 'm2', 'two', { created: 12 }),
    update(15, 'm3', 'three', { created: 8 }),
    caughtUp(join.subscriptionId, 15),
  );
  await whenView(view, ({ status }) => status === 'live');
  // m2 was deleted and created again after the position.
  expect(texts(view)).toEqual(['m1:one', 'm3:three', 'm2:two']);
});

test.each([
  ['no position', { items: ANSWER.items }],
  ['the position null of a stream of a worker', { items: ANSWER.items, position: null }],
  ['a position that is none', { items: ANSWER.items, position: 'e1' }],
  ['only the first page', { ...ANSWER, next: 'm3' }],
])('a state with %s is shown until the whole state comes', async (_what, initial) => {
  const { view, first, peer, join, log } = await start(initial);
  expect(first).toMatchObject({ status: 'stale', texts: ['m1:m1', 'm2:m2', 'm3:m3'] });
  expect(join).not.toHaveProperty('since');
  peer.send(sync(12, [['m3', 'new', 5]]));
  await whenView(view, ({ status }) => status === 'live');
  expect(texts(view)).toEqual(['m3:new']);
  expect(log.lines).toEqual(['reset sync 12']);
});

test('an item takes itself from the state of its group', async () => {
  const engine = await FakeEngine.start();
  const client = await connectTo(engine);
  const there = client.subscribeItem<Chat>('chat', 'r1', 'm2', { initial: ANSWER });
  const missing = client.subscribeItem<Chat>('chat', 'r1', 'm9', { initial: ANSWER });
  expect([there.item?.data.text, there.status, missing.item, missing.status]).toEqual(['m2', 'stale', undefined, 'stale']);
  const peer = await engine.peer();
  const joins = [await peer.next('join'), await peer.next('join')];
  expect(joins).toMatchObject([
    { id: 'm2', since: 'e1:9' },
    { id: 'm9', since: 'e1:9' },
  ]);
  peer.send(resumed(joins[0]?.subscriptionId, 'tail', 9, 9));
  await whenView(there, ({ status }) => status === 'live');
});

test('a state that the client knows wins over an initial one', async () => {
  const engine = await FakeEngine.start();
  const client = await connectTo(engine);
  const view = client.subscribeItem<Chat>('chat', 'r1', 'm1');
  const peer = await engine.peer();
  await peer.next('join');
  peer.send(itemSync(20, 'm1', 'newer', 3));
  await whenView(view, ({ status }) => status === 'live');
  const second = client.subscribeItem<Chat>('chat', 'r1', 'm1', { initial: ANSWER });
  expect([second.item?.data.text, second.status]).toEqual(['newer', 'live']);
});

test.each([{}, null, [], { items: 'm1' }, 'text'])('an initial state of a wrong shape is refused: %j', async (initial) => {
  const client = await connectTo(await FakeEngine.start());
  const subscribe = () => client.subscribeGroup('chat', 'r1', { initial: initial as never });
  expect(subscribe).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS', message: 'option "initial" must be an object with items' }));
});
