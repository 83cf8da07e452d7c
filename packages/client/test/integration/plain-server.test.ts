import { describe, expect, it } from 'vitest';
import { connectTo, FakeEngine } from '../fake-engine.js';
import { create, event, itemSync, plain, remove, sync, unauthorized, update } from '../frames.js';
import { type Chat, texts, ViewLog } from '../watch.js';

/** Servers without positions: the original engine, and servers that follow its documentation. */
describe('a server without positions', () => {
  it('is followed: a sync, then changes by the id of the item', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const log = new ViewLog();
    const view = client.subscribeGroup<Chat>('chat', 'r1', log.listeners);
    const peer = await engine.peer();
    await peer.next('join');
    peer.send(
      plain(
        sync(0, [
          ['m1', 'one', 0],
          ['m2', 'two', 0],
        ]),
      ),
    );
    peer.send(plain(update(0, 'm1', 'ONE')), plain(create(0, 'm3', 'three')), plain(event(0, 'typing')), plain(remove(0, 'm2')));
    await log.until(5);
    expect(log.lines.map((line) => line.replace(/^\d+ /, ''))).toEqual([
      'reset first -',
      'update m1 one>ONE',
      'create m3 three',
      'event typing null',
      'delete m2 two',
    ]);
    expect([texts(view), view.position, view.status]).toEqual([['m1:ONE', 'm3:three'], undefined, 'live']);
  });

  it('gets a new join without a position after each reconnect, and may send changes before the sync', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const log = new ViewLog();
    const view = client.subscribeGroup<Chat>('chat', 'r1', log.listeners);
    const first = await engine.peer();
    await first.next('join');
    first.send(plain(sync(0, [['m1', 'one', 0]])));
    await view.whenLive();
    first.drop();
    const peer = await engine.peer();
    expect((await peer.next('join')).since).toBeUndefined();
    peer.send(plain(create(0, 'm5', 'early')), plain(sync(0, [['m1', 'two', 0]])), plain(update(0, 'm1', 'three')));
    await log.until(4);
    expect(log.lines[1]).toBe('reset sync -');
    expect(texts(view)).toEqual(['m1:three', 'm5:early']);
  });

  it('has items, and refuses joins without an error frame', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const item = client.subscribeItem<Chat>('chat', 'r1', 'm1');
    const peer = await engine.peer();
    await peer.next('join');
    peer.send(plain(itemSync(0, 'm1', undefined)));
    await item.whenLive();
    expect(item.item).toBeUndefined();
    const view = client.subscribeGroup<Chat>('chat', 'r1');
    await peer.next('join');
    peer.send(unauthorized());
    await peer.next('join');
    expect([view.status, view.error?.code, item.status]).toEqual(['connecting', 'FORBIDDEN', 'live']);
  });

  it('may send values without an id, which are shown until the next sync', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const view = client.subscribeGroup('chat', 'r1');
    const peer = await engine.peer();
    await peer.next('join');
    peer.send({ ...plain(sync(0, [])), event: { type: 'sync', data: [1, 'two', null, { id: 7 }] } });
    await view.whenLive();
    expect(view.items.map(({ data }) => data)).toEqual([1, 'two', null, { id: 7 }]);
    expect(view.get('7')?.data).toEqual({ id: 7 });
  });
});
